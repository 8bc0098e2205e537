import test from 'ava'
import { Worker } from 'bullmq'
import fc from 'fast-check'
import { newId } from '../../../lib/ids.ts'
import { createReconciler } from '../../../lib/jobs/reconciler.ts'
import { noPlaceYet } from '../../../lib/queues/fair-line.ts'
import { type QueuedJob, queuePrefix } from '../../../lib/queues/queues.ts'
import type { AiAction } from '../../../lib/actions/actions.ts'
import { contextForFile, eventually, newUser } from '../../helpers/context.ts'

const context = contextForFile(test)

/** A queue served by hand, one job at a time, with the owners as single letters. Each test takes a queue of its own. */
function serve(t: { teardown(end: () => Promise<unknown>): void }, action: AiAction) {
  const { queues, owners, prefix, openRedis } = context()
  const worker = new Worker<QueuedJob>(action, null, {
    connection: openRedis('blocking', `serve-${action}`) as never,
    prefix: queuePrefix(prefix),
    autorun: false
  })
  t.teardown(() => worker.close())
  const next = async (): Promise<string | undefined> => {
    const token = newId()
    const job = await worker.getNextJob(token, { block: false })
    if (!job) return undefined
    await job.moveToCompleted('', token, false)
    return job.data.origin === 'system' ? `(${job.data.owner})` : job.data.owner
  }
  return {
    next,
    async take(count: number) {
      let order = ''
      for (let n = 0; n < count; n++) order += (await next()) ?? ''
      return order
    },
    async add(
      owner: string,
      count = 1,
      { group = '', ...as }: { origin?: 'user' | 'system'; delayMs?: number; group?: string } = {}
    ) {
      for (let n = 0; n < count; n++) {
        await owners.run(group, () => queues.add(action, newId(), { origin: 'user', ...as, owner }))
      }
      await queues.line(action).place()
    }
  }
}

const countOf = (order: string, owner: string) => order.split(owner).length - 1

test.serial('whoever waits is served once in each round, however much others have waiting', async (t) => {
  const line = serve(t, 'rag_search')
  const owners = ['A', 'B', 'C', 'D', 'E']
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...owners), { minLength: 1, maxLength: 40 }),
      fc.oneof(fc.constant(0), fc.nat({ max: 20 })),
      async (arrivals, before) => {
        // some are served before the others come
        for (const owner of arrivals.slice(0, before)) await line.add(owner)
        let order = await line.take(Math.floor(before / 2))
        const start = order.length
        for (const owner of arrivals.slice(before)) await line.add(owner)
        order += await line.take(arrivals.length)

        for (const owner of owners) {
          t.is(countOf(order, owner), arrivals.filter((it) => it === owner).length, 'everybody is served')
        }
        // In each window in which two wait all the time, what they get differs by two jobs at most (theorem 1 of the paper).
        for (const [a, b] of owners.flatMap((x) => owners.map((y) => [x, y] as const))) {
          const both = Math.min(order.lastIndexOf(a), order.lastIndexOf(b)) + 1
          for (let from = start; from < both; from++) {
            for (let to = from; to <= both; to++) {
              const window = order.slice(from, to)
              if (Math.abs(countOf(window, a) - countOf(window, b)) > 2) {
                throw new Error(`${a} and ${b} in ${window} of ${order}`)
              }
            }
          }
        }
      }
    ),
    { numRuns: 15, endOnFailure: true }
  )
  t.pass()
})

test.serial('a newcomer waits for one job of each who waits at most', async (t) => {
  const line = serve(t, 'chat_completion')
  await line.add('A', 60)
  await line.add('B', 20)
  await line.take(21)
  await line.add('C')
  t.true((await line.take(3)).includes('C'))
  await line.add('D', 2)
  const order = await line.take(6)
  t.true(order.slice(0, 3).includes('D'))
  t.is(countOf(order, 'D'), 2)
  await line.take(100)
})

test.serial('idle people earn no credit, and what was served while alone is no debt', async (t) => {
  const line = serve(t, 'code_validation')
  await line.add('A', 30)
  await line.take(15)
  await line.add('B', 15)
  const together = await line.take(10)
  t.true(Math.abs(countOf(together, 'A') - countOf(together, 'B')) <= 1, together)
  await line.take(100)
  t.is(await line.next(), undefined)

  // A was alone for a hundred jobs. In the busy period that begins now, A waits no longer than B.
  await line.add('A', 100)
  await line.take(100)
  await line.add('B', 8)
  await line.add('A', 8)
  const order = await line.take(8)
  t.true(Math.abs(countOf(order, 'A') - countOf(order, 'B')) <= 1, order)
  await line.take(8)
})

test.serial("the platform's work for a person has a quarter of a share, and goes on", async (t) => {
  const line = serve(t, 'embedding_generation')
  await line.add('S', 30, { origin: 'system' })
  await line.add('A', 60)
  await line.add('B', 60)
  const order = await line.take(45)
  t.is(countOf(order, '(S)'), 5, order)
  t.true(Math.abs(countOf(order, 'A') - countOf(order, 'B')) <= 1, order)
  // Its owner waits like everybody else, and not behind it.
  await line.add('S')
  t.true((await line.take(3)).replaceAll('(S)', '').includes('S'))
  await line.take(200)
})

test.serial('jobs whose delay is over come in turn, and not before those who have waited', async (t) => {
  const line = serve(t, 'bulk_create')
  const { queues } = context()
  await line.add('A', 20, { delayMs: 50 })
  await line.add('B', 20)
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.is(await line.next(), 'B') // BullMQ looks at delays when a job is taken
  await queues.line('bulk_create').place()
  const order = await line.take(20)
  t.true(Math.abs(countOf(order, 'A') - countOf(order, 'B')) <= 1, order)
  await line.take(19)

  await line.add('C', 3)
  await line.add('D', 3, { delayMs: 1 })
  await new Promise((resolve) => setTimeout(resolve, 10))
  await line.next()
  queues.line('bulk_create').placeSoon()
  queues.line('bulk_create').placeSoon()
  await eventually(async () => (await queues.line('bulk_create').nextOwners()).join() === 'C,D')
  await line.take(5)
})

test.serial('a job whose process died before it had a place gets one with the next that comes', async (t) => {
  const line = serve(t, 'rag_search')
  const { queues } = context()
  await line.add('A', 10)
  const jobId = newId()
  await queues.of('rag_search').add('rag_search', { jobId, owner: 'B' }, { jobId, priority: noPlaceYet })
  await line.add('A')
  t.true((await line.take(2)).includes('B'))
  await line.take(10)
})

test.serial('a line whose state Redis has lost goes on, with everybody in turn', async (t) => {
  const line = serve(t, 'rag_search')
  const { queues, redis } = context()
  await line.add('A', 10)
  await line.add('B', 10)
  await line.take(4)
  const queue = queues.of('rag_search')
  await redis.del(queue.toKey('fair-state'), queue.toKey('fair-ends'))
  await line.add('C', 3)
  const order = await line.take(9)
  for (const owner of ['A', 'B', 'C']) t.is(countOf(order, owner), 3, order)
  await line.take(20)
})

test.serial('jobs of older versions, without an owner or with a priority of their own, are served', async (t) => {
  const line = serve(t, 'rag_search')
  const queue = context().queues.of('rag_search')
  const [plain, system] = [newId(), newId()]
  await queue.add('rag_search', { jobId: system }, { jobId: system, priority: 10 })
  await line.add('A', 3)
  await queue.add('rag_search', { jobId: plain }, { jobId: plain })
  for (let n = 0; n < 5; n++) await line.next()
  t.is(await queue.getJobState(plain), 'completed')
  t.is(await queue.getJobState(system), 'completed')
})

test.serial('what is put back comes behind those whose turn it is and before all who come after', async (t) => {
  const { queues, prefix, openRedis } = context()
  const line = serve(t, 'code_validation')
  await line.add('A', 3)
  await line.add('B', 2)
  const worker = new Worker<QueuedJob>('code_validation', null, {
    connection: openRedis('blocking', 'putting-back') as never,
    prefix: queuePrefix(prefix),
    autorun: false
  })
  t.teardown(() => worker.close())
  const job = await worker.getNextJob('token', { block: false })
  t.is(job?.data.owner, 'A')
  await job?.moveToWait('token')
  await queues.line('code_validation').putBack(job?.id as string)
  t.is(await line.take(5), 'BAABA')
})

test.serial('a long busy period with many people keeps no more of them than wait', async (t) => {
  const line = serve(t, 'chat_completion')
  const { queues, redis } = context()
  await line.add('A', 400)
  for (let n = 0; n < 1_500; n += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, at) => line.add(`person ${n + at}`)))
    await redis.zpopmin(queues.of('chat_completion').toKey('prioritized'), 104)
  }
  const kept = await redis.hlen(queues.of('chat_completion').toKey('fair-ends'))
  t.true(kept < 1_200, `${kept} flows`)
  await line.take(400)
})

test.serial('queues that Redis lost are filled again with everybody in turn', async (t) => {
  const { jobs, jobStore, queues, ledger, knex, redis, log, prefix } = context()
  const [rich, poor] = [await newUser(context()), await newUser(context())]
  const admit = async (owner: string) => {
    await jobs.admit({ actor: { id: owner }, action: 'rag_search', input: {} })
  }
  for (let n = 0; n < 30; n++) await admit(rich)
  await admit(poor)
  await knex('jobs').update({ created_at: knex.raw(`now() - interval '1 minute'`) })
  const keys = await redis.keys(`{${prefix}}:rag_search:*`)
  await redis.del(keys)
  const reconciler = createReconciler({
    store: jobStore,
    queues,
    ledger,
    deadLetters: context().deadLetters,
    everyMs: 60_000,
    log
  })
  t.is(await reconciler.reconcile(), 31)
  const line = serve(t, 'rag_search')
  const order = [await line.next(), await line.next()]
  t.true(order.includes(poor))
  await line.take(29)
  await knex('jobs').delete()
})

test.serial('thirty accounts of one address have together what four people have', async (t) => {
  const line = serve(t, 'bulk_create')
  const farm = Array.from({ length: 30 }, (_, n) => String.fromCharCode(0x3b1 + n))
  for (let round = 0; round < 4; round++)
    for (const account of farm) await line.add(account, 1, { group: 'one address' })
  await line.add('A', 10, { group: 'another' })
  const order = await line.take(130)
  // The first job of each account came before; from then on four of theirs are served for one of another person.
  const [first, last] = [order.indexOf('A'), order.lastIndexOf('A')]
  const between = last - first - 9
  t.true(between <= 9 * 6, `${between} of theirs between ten of another in ${order}`)
  t.true(first <= farm.length, `${first} before the first`)
  t.is(order.length, 130)
})
