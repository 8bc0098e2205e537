import test from 'ava'
import { createEventFeed, type LoggedEvent } from '../../../lib/events/feed.ts'
import { createJobWaiter } from '../../../lib/events/job-waiter.ts'
import { redisChannels } from '../../../lib/redis/channels.ts'
import { createTails, type Reader } from '../../../lib/events/tail.ts'
import { newId } from '../../../lib/ids.ts'
import { eventually } from '../../helpers/context.ts'
import { createEventStage, type EventStage } from '../../helpers/event-stage.ts'
import { createTcpProxy } from '../../helpers/tcp-proxy.ts'

async function startFeed(stage: EventStage, { redisUrl = stage.isolation.redisUrl, events = stage.events } = {}) {
  const { prefix, log } = stage
  const feed = createEventFeed({ subscriber: stage.openRedis('subscriber', redisUrl), events, prefix, log })
  feed.start()
  stage.closeFirst(() => feed.stop())
  await eventually(async () => feed.position() !== undefined)
  return { feed, openTail: createTails({ feed, events, log }) }
}

/** Takes what comes until `room` says no, and what the log has one event a turn of the event loop. */
const readInto = (got: LoggedEvent[], room: () => boolean = () => true): Reader => ({
  push: (event) => room() && got.push(event) > 0,
  async give(event) {
    await new Promise(setImmediate)
    got.push(event)
  }
})

const positions = (events: LoggedEvent[]) => events.map(({ position }) => position)
const upTo = (n: number, from = 1) => Array.from({ length: n - from + 1 }, (_, i) => from + i)

test('a tail gives what the log has and then what comes, without gap or repeat, while events pour in', async (t) => {
  const stage = await createEventStage(t)
  stage.relay().start()
  const { feed, openTail } = await startFeed(stage)
  const goal = `goal:${newId()}`
  let appended = 0
  let pouring = true
  const pour = (async () => {
    while (pouring) {
      await stage.append({ channels: [goal] })
      await stage.append({ channels: ['goal:other'] })
      appended++
    }
  })()
  await eventually(async () => appended > 100)
  const tails = await Promise.all(
    [0, 1, 50, 120].map(async (after) => {
      const got: LoggedEvent[] = []
      const tail = await openTail(goal, after)
      t.true(tail.recovered)
      t.is(tail.position, after)
      // A slow reader: the log runs ahead of it while it catches up.
      tail.start(readInto(got))
      return { after, got }
    })
  )
  const fromNow: LoggedEvent[] = []
  const tail = await openTail(goal, undefined)
  tail.start(readInto(fromNow))
  await eventually(async () => appended > 250)
  pouring = false
  await pour
  await eventually(async () => feed.position() === 2 * appended)

  const all = (await stage.placed()).filter(({ channels }) => channels.includes(goal)).map(({ position }) => position)
  for (const { after, got } of tails) {
    await eventually(async () => got.at(-1)?.position === all.at(-1))
    t.deepEqual(
      positions(got),
      all.filter((position) => position > after)
    )
  }
  t.deepEqual(
    positions(fromNow),
    all.filter((position) => position > tail.position)
  )
  tail.stop()
  await stage.append({ channels: [goal] })
  await eventually(async () => feed.position() === 2 * appended + 1)
  t.is(fromNow.at(-1)?.position, all.at(-1))
})

test('a reader that cannot keep up goes on from the log, and back to what comes when it has caught up', async (t) => {
  const stage = await createEventStage(t)
  stage.relay().start()
  const { openTail } = await startFeed(stage)
  const got: LoggedEvent[] = []
  const waiting = { owed: 0, caughtUp: 0 }
  let pushes = 0
  const tail = await openTail('goal:one', undefined)
  tail.start({
    ...readInto(got, () => pushes++ % 5 !== 4),
    owed: () => waiting.owed++,
    caughtUp: () => waiting.caughtUp++
  })
  for (let i = 0; i < 200; i++) await stage.append({ channels: ['goal:one'] })
  await eventually(async () => got.length >= 200)
  t.deepEqual(positions(got), upTo(200))
  t.true(waiting.owed >= waiting.caughtUp - 1)
  t.true(waiting.caughtUp > 1)
  tail.stop()
})

test('a message that is lost on the way leaves no gap', async (t) => {
  const stage = await createEventStage(t)
  const { feed } = await startFeed(stage)
  const got: LoggedEvent[] = []
  feed.listen('goal:one', (event) => got.push(event))
  const lease = await stage.relayStore.acquire('silent', 60_000)
  if (!lease) return t.fail()

  // Placed, but nobody is told.
  for (let i = 0; i < 3; i++) await stage.append({ channels: ['goal:one'] })
  await stage.relayStore.place(lease, 10)
  const [entry] = (await stage.placed()).slice(-1)
  // The message of a later event says that something came before it.
  const id = await stage.append({ channels: ['goal:one'] })
  await stage.relayStore.place(lease, 10)
  const event = { specversion: '1.0', id, type: 'goal.created', data: {} }
  const message = { position: 4, previous: entry?.position, channels: ['goal:one'], event }
  await stage.redis.publish(redisChannels(stage.prefix).events, JSON.stringify(message))
  await eventually(async () => got.length === 4)
  t.deepEqual(positions(got), [1, 2, 3, 4])
  // Told again, as by a relay that took over: not handed out again.
  await stage.redis.publish(redisChannels(stage.prefix).events, JSON.stringify(message))
  await stage.append({ channels: ['goal:one'] })
  await stage.relayStore.place(lease, 10)
  await eventually(async () => got.length === 5)
  t.deepEqual(positions(got), [1, 2, 3, 4, 5])
})

test('the last message being lost costs about a second', async (t) => {
  const stage = await createEventStage(t)
  const { feed } = await startFeed(stage)
  const got: LoggedEvent[] = []
  feed.listen('goal:one', (event) => got.push(event))
  const lease = await stage.relayStore.acquire('silent', 60_000)
  if (!lease) return t.fail()
  await stage.append({ channels: ['goal:one'] })
  await stage.relayStore.place(lease, 10)
  await eventually(async () => got.length === 1)
  t.pass()
})

test('events arrive by polling while Redis is away, and in order when it is back', async (t) => {
  const stage = await createEventStage(t)
  const proxy = await createTcpProxy(stage.isolation.redisUrl)
  stage.closeFirst(() => proxy.close())
  stage.relay().start()
  const { feed } = await startFeed(stage, { redisUrl: proxy.url })
  const got: LoggedEvent[] = []
  feed.listen('goal:one', (event) => got.push(event))
  await stage.append({ channels: ['goal:one'] })
  await eventually(async () => got.length === 1)
  proxy.cut()
  for (let i = 0; i < 5; i++) await stage.append({ channels: ['goal:one'] })
  await eventually(async () => got.length === 6)
  proxy.restore()
  for (let i = 0; i < 5; i++) await stage.append({ channels: ['goal:one'] })
  await eventually(async () => got.length === 11)
  t.deepEqual(positions(got), upTo(11))
})

test('a position the log no longer reaches back to, or never gave, is not recovered', async (t) => {
  const stage = await createEventStage(t)
  const relay = stage.relay()
  relay.start()
  const { feed, openTail } = await startFeed(stage)
  for (let i = 0; i < 5; i++) await stage.append({ channels: ['goal:one'] })
  await eventually(async () => feed.position() === 5)
  await relay.stop()
  const lease = await stage.relayStore.acquire('trimmer', 60_000)
  if (!lease) return t.fail()
  await stage
    .knex('events')
    .where('position', '<=', 3)
    .update({ time: stage.knex.raw(`now() - interval '31 days'`) })
  t.is(await stage.relayStore.trim(lease, await stage.relayStore.old(30, 100)), 3)

  t.like(await openTail('goal:one', 2), { recovered: false, position: 5 })
  t.like(await openTail('goal:one', 6), { recovered: false, position: 5 })
  const tail = await openTail('goal:one', 3)
  t.like(tail, { recovered: true, position: 3 })
  const got: LoggedEvent[] = []
  tail.start(readInto(got))
  await eventually(async () => got.length === 2)
  t.deepEqual(positions(got), [4, 5])
})

test('a tail goes on when the log cannot be read for a moment', async (t) => {
  const stage = await createEventStage(t)
  stage.relay().start()
  let failures = 2
  const events = {
    ...stage.events,
    ofChannel: async (...args: Parameters<typeof stage.events.ofChannel>) => {
      if (failures-- > 0) throw new Error('the database is restarting')
      return await stage.events.ofChannel(...args)
    }
  }
  const { feed, openTail } = await startFeed(stage, { events })
  for (let i = 0; i < 3; i++) await stage.append({ channels: ['goal:one'] })
  await eventually(async () => feed.position() === 3)
  const got: LoggedEvent[] = []
  const tail = await openTail('goal:one', 0)
  tail.start(readInto(got))
  await eventually(async () => got.length === 3)
  t.deepEqual(positions(got), [1, 2, 3])
  tail.stop()
})

test('a wait ends with the news of the job’s end, with what was true before, with a look, or in time', async (t) => {
  const stage = await createEventStage(t)
  stage.relay().start()
  const { feed } = await startFeed(stage)
  const ended = new Set<string>()
  let looks = 0
  const waiter = createJobWaiter({
    feed,
    endedAmong: async (ids) => {
      looks++
      return ids.filter((id) => ended.has(id))
    },
    log: stage.log
  })
  const never = new AbortController().signal

  const told = newId()
  const waits = [waiter.wait(told, 60_000, never), waiter.wait(told, 60_000, never)]
  await stage.append({ type: 'job.started.rag_search', subject: told, channels: [`job:${told}`] })
  await stage.append({ type: 'job.failed.rag_search', subject: told, channels: [`job:${told}`] })
  t.deepEqual(await Promise.all(waits), ['ended', 'ended'])

  const before = newId()
  ended.add(before)
  t.is(await waiter.wait(before, 60_000, never), 'ended')

  const untold = newId()
  const wait = waiter.wait(untold, 60_000, never)
  ended.add(untold)
  t.is(await wait, 'ended')

  t.is(await waiter.wait(newId(), 30, never), 'timeout')
  const gone = new AbortController()
  const abandoned = waiter.wait(newId(), 60_000, gone.signal)
  gone.abort()
  t.is(await abandoned, 'timeout')
  t.is(await waiter.wait(newId(), 60_000, gone.signal), 'timeout')
  t.true(looks > 0)
})
