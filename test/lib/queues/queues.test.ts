import test from 'ava'
import { Worker } from 'bullmq'
import { newId } from '../../../lib/ids.ts'
import { noPlaceYet } from '../../../lib/queues/fair-line.ts'
import { createQueues, type QueuedJob, queuePrefix } from '../../../lib/queues/queues.ts'
import { createRedis } from '../../../lib/redis/client.ts'
import { contextForFile, eventually } from '../../helpers/context.ts'
import { createTcpProxy } from '../../helpers/tcp-proxy.ts'

const context = contextForFile(test)

test('what a person waits for is run before what the platform has queued for itself', async (t) => {
  const { queues, prefix, openRedis } = context()
  const own = Array.from({ length: 3 }, () => newId())
  const [wanted, delayed] = [newId(), newId()]
  for (const id of own) await queues.add('embedding_generation', id, { owner: 'somebody', origin: 'system' })
  await queues.add('embedding_generation', delayed, { owner: 'somebody', origin: 'system', delayMs: 1 })
  await queues.add('embedding_generation', wanted, { owner: 'somebody', origin: 'user' })

  await queues.line('embedding_generation').place()

  const order: string[] = []
  const worker = new Worker<QueuedJob>(
    'embedding_generation',
    async ({ data }) => {
      order.push(data.jobId)
    },
    { connection: openRedis('blocking', 'worker') as never, prefix: queuePrefix(prefix), concurrency: 1 }
  )
  t.teardown(() => worker.close())
  await eventually(async () => order.length === 5)
  t.deepEqual(order.slice(0, 4), [wanted, ...own])
})

test('adding a job twice makes one', async (t) => {
  const { queues } = context()
  const id = newId()
  await queues.add('rag_search', id, { owner: 'somebody', origin: 'user' })
  await queues.add('rag_search', id, { owner: 'somebody', origin: 'system' })
  t.deepEqual(await queues.of('rag_search').getJobCounts('waiting', 'prioritized'), { waiting: 0, prioritized: 1 })
  t.is(await queues.of('rag_search').getJobState(id), 'prioritized')
})

test('jobs that are added at once are each added once, also by a Redis that has forgotten its scripts', async (t) => {
  const { queues, redis } = context()
  const ids = Array.from({ length: 50 }, () => newId())
  const add = (id: string) => queues.add('code_validation', id, { owner: 'somebody', origin: 'user' })
  await Promise.all(ids.slice(0, 25).map(add))
  await redis.script('FLUSH')
  await Promise.all(ids.map(add))
  await queues.line('code_validation').place()
  const waiting = await queues.of('code_validation').getPrioritized()
  t.deepEqual(
    waiting.map(({ id }) => id),
    ids
  )
})

test('a job that Redis cannot take, or cannot read, keeps none of the others away', async (t) => {
  const { queues, redis } = context()
  const queue = queues.of('chat_completion')
  const ids = Array.from({ length: 20 }, () => newId())
  const [poison, odd] = [ids[7] as string, newId()]
  await redis.set(queue.toKey(poison), 'no hash')
  await redis.zadd(queue.toKey('prioritized'), noPlaceYet * 2 ** 32, odd)
  await redis.set(queue.toKey(odd), 'no hash')
  const added = await Promise.allSettled(
    ids.map((id) => queues.add('chat_completion', id, { owner: 'somebody', origin: 'user' }))
  )
  const failed = added.flatMap(({ status }, at) => (status === 'rejected' ? [ids[at]] : []))
  t.true(failed.every((id) => id === poison))
  await queues.line('chat_completion').place()
  for (const id of ids) {
    if (id !== poison) t.true(Number(await redis.zscore(queue.toKey('prioritized'), id)) < noPlaceYet, id)
  }
  t.true((await queues.line('chat_completion').nextOwners()).includes('somebody'))
})

test('queues made while Redis is away work when it is back', async (t) => {
  const { isolation, prefix, log } = context()
  const proxy = await createTcpProxy(isolation.redisUrl)
  t.teardown(proxy.close)
  proxy.cut()
  const redis = createRedis(proxy.url, { kind: 'commands', name: 'test', log })
  t.teardown(() => redis.disconnect())
  const queues = createQueues({ redis, redisPrefix: prefix })
  await t.throwsAsync(queues.add('bulk_create', newId(), { owner: 'somebody', origin: 'user' }))

  proxy.restore()
  const job = newId()
  await eventually(() =>
    queues.add('bulk_create', job, { owner: 'somebody', origin: 'user' }).then(
      () => true,
      () => false
    )
  )
  t.is(await queues.of('bulk_create').getJobState(job), 'prioritized')
  await queues.close()
})
