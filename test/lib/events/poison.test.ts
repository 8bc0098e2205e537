import { connect } from 'amqplib'
import test from 'ava'
import type { Redis } from 'ioredis'
import { createDeadLetterRetry } from '../../../lib/dead-letters/retry.ts'
import { createPublisher } from '../../../lib/events/publisher.ts'
import type { Sink } from '../../../lib/events/sink.ts'
import { listenToBroker } from '../../helpers/broker-listener.ts'
import { eventually } from '../../helpers/context.ts'
import { createEventStage, type EventStage, listenToRedis } from '../../helpers/event-stage.ts'
import { refuseRow } from '../../helpers/refuse-row.ts'

const lettersOf = (stage: EventStage, kind?: string) => stage.deadLetterStore.list({ kind, limit: 100 })
/** Events that a sink has not had, those that have no position yet included. */
async function behind(stage: EventStage, sink: string): Promise<number> {
  const { unplaced, sinks } = await stage.relayStore.lag()
  return unplaced + (sinks.find((one) => one.sink === sink)?.behind ?? Number.POSITIVE_INFINITY)
}

test('an event that one sink cannot take is put aside for that sink, and the others of its batch arrive', async (t) => {
  const stage = await createEventStage(t)
  const heard = await listenToRedis(stage)
  const ids: string[] = []
  await stage.transaction.transact(async (trx) => {
    for (let n = 0; n < 100; n++) {
      ids.push(await stage.eventLog.append(trx, { type: 'client.x', userId: null, subject: null, data: { n } }))
    }
  })
  const bad = ids[41]
  const arrived: string[] = []
  let cured = false
  let attempts = 0
  const sink: Sink = {
    name: 'picky',
    async deliver(batch, confirmed) {
      attempts++
      if (!cured && batch.some(({ event }) => event.id === bad)) {
        throw Object.assign(new Error('refused: what somebody wrote'), { code: '22001' })
      }
      for (const { event, position } of batch) {
        arrived.push(event.id)
        confirmed(position)
      }
      return undefined
    }
  }
  const relay = stage.relay({ sinks: [sink] })
  // It begins at the end of the log unless it was there before.
  await stage.knex('relay_cursors').insert({ sink: 'picky', position: 0 })
  relay.start()
  await eventually(async () => (await behind(stage, 'picky')) === 0)
  t.deepEqual(
    arrived,
    ids.filter((id) => id !== bad)
  )
  t.true(attempts <= 16, `${attempts} attempts`)
  const [letter, ...others] = await lettersOf(stage)
  t.deepEqual(others, [])
  t.like(letter, {
    kind: 'sink.picky',
    key: bad,
    code: 'database_refused',
    message: 'the database refused it (SQLSTATE 22001)',
    attempts: 1,
    retryAt: null
  })
  // Redis had nothing against it.
  await eventually(async () => heard.length === 100)

  // It goes on, and nothing of it comes again by itself.
  const before = attempts
  const next = await stage.append({})
  await eventually(async () => arrived.at(-1) === next)
  t.is(attempts, before + 1)

  const retry = createDeadLetterRetry({ store: stage.deadLetterStore, handlers: relay.retries, log: stage.log })
  t.is(await retry(), 0)
  await stage.deadLetterStore.requestRetry(letter?.id ?? '')
  t.is(await retry(), 1)
  t.like((await lettersOf(stage))[0], { attempts: 2, retryAt: null })
  cured = true
  await stage.deadLetterStore.requestRetries('sink.picky', 10)
  await retry()
  t.deepEqual(await lettersOf(stage), [])
  t.is(arrived.at(-1), bad)
})

test('what PostgreSQL will not place is put aside, and everything around it gets its position', async (t) => {
  const stage = await createEventStage(t)
  const heard = await listenToRedis(stage)
  const ids: string[] = []
  for (let n = 0; n < 30; n++) ids.push(await stage.append({ type: 'client.x' }))
  const bad = ids[11] as string
  const allow = await refuseRow(stage.knex, 'events', 'update', bad)
  const relay = stage.relay()
  await stage.knex('relay_cursors').insert({ sink: 'redis', position: 0 })
  relay.start()
  await eventually(async () => heard.length === 29)
  t.deepEqual(
    heard.map(({ event }) => event.id),
    ids.filter((id) => id !== bad)
  )
  t.like(await lettersOf(stage), [{ kind: 'placing', key: bad, code: 'database_refused', attempts: 1 }])
  t.like(await stage.relayStore.lag(), { unplaced: 0, unplacedSeconds: 0 })
  await stage.append({})
  await eventually(async () => heard.length === 30)

  await allow()
  const retry = createDeadLetterRetry({ store: stage.deadLetterStore, handlers: relay.retries, log: stage.log })
  await stage.deadLetterStore.requestRetries(undefined, 10)
  await retry()
  await eventually(async () => heard.at(-1)?.event.id === bad)
  t.deepEqual(await lettersOf(stage), [])
})

test('an event whose person is being removed waits, and nobody else’s does', async (t) => {
  const stage = await createEventStage(t)
  const heard = await listenToRedis(stage)
  const userId = await stage.newUser()
  await stage.append({ userId })
  let released = false
  const locked = Promise.withResolvers<void>()
  const removal = stage.knex.transaction(async (trx) => {
    await trx('users').where({ id: userId }).delete()
    locked.resolve()
    // Not idle for long, which would end it: only the relay's own patience lets it go past.
    while (!released) {
      await trx.raw('select 1')
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })
  await locked.promise
  const relay = stage.relay()
  relay.start()
  const ids = [await stage.append({}), await stage.append({})]
  await eventually(async () => heard.length === 2)
  t.deepEqual(
    heard.map(({ event }) => event.id),
    ids
  )
  t.true(relay.leading())
  released = true
  await removal
})

test('a message that Redis refuses keeps none of its batch away', async (t) => {
  const stage = await createEventStage(t)
  const heard = await listenToRedis(stage)
  const ids: string[] = []
  for (let n = 0; n < 10; n++) ids.push(await stage.append({ type: n === 4 ? 'client.bad' : 'client.x' }))
  let refusals = 0
  // One whose rights end at this message: the replies of the others are Redis' own.
  const redis = {
    pipeline() {
      const real = stage.redis.pipeline()
      const places: number[] = []
      let count = 0
      const pipeline = {
        publish(channel: string, text: string) {
          if (text.includes('client.bad')) places.push(count)
          else real.publish(channel, text)
          count++
          return pipeline
        },
        async exec() {
          const replies = [...((await real.exec()) ?? [])]
          for (const place of places) replies.splice(place, 0, [new Error('NOPERM no rights'), null])
          refusals += places.length
          return replies
        }
      }
      return pipeline
    }
  } as unknown as Redis
  const relay = stage.relay({ redis })
  await stage.knex('relay_cursors').insert({ sink: 'redis', position: 0 })
  relay.start()
  await eventually(async () => heard.length === 9 && (await behind(stage, 'redis')) === 0)
  t.deepEqual(
    heard.map(({ event }) => event.id),
    ids.filter((_, n) => n !== 4)
  )
  t.like(await lettersOf(stage), [{ kind: 'sink.redis', key: ids[4] }])
  t.is(refusals, 1)
})

test('a full broker queue that rejects some events costs nobody else theirs, and those come when it takes them', async (t) => {
  const stage = await createEventStage(t)
  const publisher = await createPublisher({
    url: stage.isolation.rabbitmqUrl,
    exchange: stage.isolation.exchange,
    log: stage.log
  })
  stage.closeFirst(() => publisher.close())
  await publisher.ready(AbortSignal.timeout(10_000))
  const heard = await listenToBroker(stage)
  const connection = await connect(stage.isolation.rabbitmqUrl)
  stage.closeFirst(() => connection.close())
  const channel = await connection.createChannel()
  const { queue } = await channel.assertQueue('', {
    exclusive: true,
    arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' }
  })
  await channel.bindQueue(queue, stage.isolation.exchange, 'client.full')
  channel.sendToQueue(queue, Buffer.from('the one it holds'))

  const relay = stage.relay({ publisher })
  relay.start()
  await eventually(async () => relay.leading())
  const ids: string[] = []
  for (let n = 0; n < 12; n++) ids.push(await stage.append({ type: n % 4 === 1 ? 'client.full' : 'client.x' }))
  const full = ids.filter((_, n) => n % 4 === 1)
  await eventually(async () => (await lettersOf(stage)).length === 3 && (await behind(stage, 'rabbitmq')) === 0)
  const letters = await lettersOf(stage)
  t.deepEqual(letters.map(({ key }) => key).toSorted(), full.toSorted())
  t.true(letters.every(({ kind, code, retryAt }) => kind === 'sink.rabbitmq' && code === 'broker_rejected' && retryAt))
  await eventually(async () => new Set(heard.map(({ id }) => id)).size === 12)
  // Others hear what was refused by one queue no more often than a few times.
  t.true(heard.length <= 20, `${heard.length} messages for 12 events`)

  // It is told who refuses, as long as it does.
  const { failing } = (await eventually(async () =>
    (await stage.relayStore.lag()).sinks.find(({ sink, failing }) => sink === 'rabbitmq' && failing)
  )) as { failing: { code: string; message: string } }
  t.is(failing.code, 'broker_rejected')
  t.true(failing.message.includes(`"${stage.isolation.exchange}" with routing key "client.…"`), failing.message)

  await channel.deleteQueue(queue)
  await stage.deadLetterStore.requestRetries(undefined, 10)
  const retry = createDeadLetterRetry({ store: stage.deadLetterStore, handlers: relay.retries, log: stage.log })
  t.is(await retry(), 3)
  t.deepEqual(await lettersOf(stage), [])
})

test('a broker queue that rejects everything stops nobody: each event is tried a few times and put aside', async (t) => {
  const stage = await createEventStage(t)
  const { rabbitmqUrl: url, exchange } = stage.isolation
  const publisher = await createPublisher({ url, exchange, log: stage.log })
  stage.closeFirst(() => publisher.close())
  await publisher.ready(AbortSignal.timeout(10_000))
  const heard = await listenToBroker(stage)
  const connection = await connect(url)
  stage.closeFirst(() => connection.close())
  const channel = await connection.createChannel()
  const full = { 'x-max-length': 1, 'x-overflow': 'reject-publish' }
  const { queue } = await channel.assertQueue('', { exclusive: true, arguments: full })
  await channel.bindQueue(queue, exchange, '#')
  channel.sendToQueue(queue, Buffer.from('the one it holds'))

  const relay = stage.relay({ publisher })
  relay.start()
  await eventually(async () => relay.leading())
  const ids: string[] = []
  for (let n = 0; n < 30; n++) ids.push(await stage.append({ type: 'client.x' }))
  // Long before the minute after which anything that stands still is put aside.
  await eventually(async () => (await behind(stage, 'rabbitmq')) === 0 && heard.length >= 30, 55_000)
  t.deepEqual([...new Set(heard.map(({ id }) => id))], ids)
  t.true(heard.length <= 90, `${heard.length} messages for 30 events`)
  t.is((await lettersOf(stage, 'sink.rabbitmq')).length, 30)
})

test('an old event that cannot be removed keeps none of the others', async (t) => {
  const stage = await createEventStage(t)
  const ids: string[] = []
  for (let n = 0; n < 8; n++) ids.push(await stage.append({}))
  const lease = await stage.relayStore.acquire('first', 60_000)
  if (!lease) return t.fail()
  await stage.relayStore.place(lease, 100)
  await stage.relayStore.release(lease)
  await stage.knex('events').update({ time: stage.knex.raw(`now() - interval '31 days'`) })
  const bad = ids[0] as string
  await refuseRow(stage.knex, 'events', 'delete', bad)
  stage.relay({ retentionDays: 30 }).start()
  await eventually(async () => (await stage.placed()).length === 1)
  t.is((await stage.placed())[0]?.id, bad)
  await eventually(async () => (await lettersOf(stage)).length === 1)
  t.like(await lettersOf(stage), [{ kind: 'event_retention', key: bad }])
})
