import test from 'ava'
import { contextForFile, eventually, newUser } from '../helpers/context.ts'
import { startTestWorker } from '../helpers/workers.ts'

const context = contextForFile(test)

async function ended(id: string) {
  return await eventually(async () => {
    const job = await context().jobStore.find(id)
    return job?.status === 'completed'
  })
}

test('with all places taken by one person, another is served at once, and nothing is lost', async (t) => {
  const { jobs, knex } = context()
  const release = Promise.withResolvers<void>()
  const started: string[] = []
  const worker = await startTestWorker(
    context(),
    {
      chat_completion: async ({ user, input }) => {
        started.push(user.id)
        if ((input as { long?: boolean }).long) await release.promise
        return async () => ({ done: true })
      }
    },
    { places: 4 }
  )
  t.teardown(worker.stop)
  t.teardown(release.resolve) // before it: a worker stops when its jobs have ended
  const [many, other, third] = [await newUser(context()), await newUser(context()), await newUser(context())]
  const admit = async (owner: string, input: unknown) =>
    (await jobs.admit({ actor: { id: owner }, action: 'chat_completion', input })).job.id
  const long: string[] = []
  for (let n = 0; n < 10; n++) long.push(await admit(many, { long: true }))
  await eventually(async () => started.length === 4)

  const [first, next] = [await admit(other, {}), await admit(third, {})]
  await ended(first)
  await ended(next)
  t.is(started.filter((owner) => owner === many).length, 4, 'who has places gets none of those added for newcomers')

  // Nobody else waits: no place is added, and the long jobs still hold theirs.
  const later = await admit(other, { long: true })
  await eventually(async () => started.filter((owner) => owner === other).length === 2)
  release.resolve()
  for (const id of [...long, later]) await ended(id)
  t.is(started.length, 13, 'each job was started once')
  t.is((await knex('jobs').where('run', '>', 1)).length, 0)
})

test('a job behind many of its thread looks again the later the more there are', async (t) => {
  const { jobs, lifecycle } = context()
  const owner = await newUser(context())
  const ids: string[] = []
  for (let n = 0; n < 12; n++) {
    const { job } = await jobs.admit({ actor: { id: owner }, action: 'rag_search', input: {}, threadId: owner })
    ids.push(job.id)
  }
  t.deepEqual(await lifecycle.start(ids[1] as string, 'worker'), { kind: 'later', delayMs: 200 })
  t.deepEqual(await lifecycle.start(ids[11] as string, 'worker'), { kind: 'later', delayMs: 1_200 })
  t.is((await lifecycle.start(ids[0] as string, 'worker')).kind, 'started')
})
