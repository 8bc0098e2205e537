import test from 'ava'
import { contextForFile, eventually, newUser } from '../helpers/context.ts'
import { startTestWorker } from '../helpers/workers.ts'

const context = contextForFile(test, { JOB_BACKOFF_MS: '10' })

for (const [how, thread] of [
  ['among others', false],
  ['in its thread', true]
] as const) {
  // one after the other: a worker takes whatever job of its action waits
  test.serial(`a job that starts ${how} is handed its user, with the role they have when the run begins`, async (t) => {
    const { jobs, jobStore, knex } = context()
    const id = await newUser(context())
    const seen: unknown[] = []
    const worker = await startTestWorker(context(), {
      rag_search: async ({ user }) => {
        seen.push(user)
        if (seen.length > 1) return { result: {} }
        await knex('users').where({ id }).update({ role: 'admin' })
        throw new Error('the next attempt is by an administrator')
      }
    })
    t.teardown(worker.stop)
    const threadId = thread ? id : undefined
    const { job } = await jobs.admit({ actor: { id }, action: 'rag_search', input: {}, threadId })
    await eventually(async () => (await jobStore.find(job.id))?.status === 'completed')
    t.deepEqual(seen, [
      { id, role: 'user' },
      { id, role: 'admin' }
    ])
  })
}
