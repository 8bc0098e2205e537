import test from 'ava'
import type { Sink } from '../../../lib/events/sink.ts'
import { NamedFailure } from '../../../lib/errors/failure.ts'
import { newId } from '../../../lib/ids.ts'
import { eventually } from '../../helpers/context.ts'
import { createEventStage, listenToRedis } from '../../helpers/event-stage.ts'

test('concurrent writers get every committed event placed once, in each writer’s own order', async (t) => {
  const stage = await createEventStage(t)
  const users = await Promise.all(Array.from({ length: 10 }, () => stage.newUser()))
  const relay = stage.relay()
  relay.start()

  const writers = users.map(async (userId) => {
    for (let n = 0; n < 30; n++) {
      await stage.transaction.transact(async (trx) => {
        for (const part of [0, 1]) {
          await stage.eventLog.append(trx, { type: 'client.note', userId, subject: null, data: { n: 2 * n + part } })
        }
      })
      // A transaction that is rolled back leaves nothing behind.
      if (n % 10 === 0) {
        await t.throwsAsync(
          stage.transaction.transact(async (trx) => {
            await stage.eventLog.append(trx, { type: 'client.never', userId, subject: null, data: {} })
            throw new Error('changed my mind')
          })
        )
      }
    }
  })
  await Promise.all(writers)

  const placed = await eventually(async () => {
    const entries = await stage.placed()
    return entries.length === 600 && entries
  })
  t.deepEqual(
    placed.map(({ position }) => position),
    Array.from({ length: 600 }, (_, i) => i + 1)
  )
  for (const userId of users) {
    const own = placed.filter((entry) => entry.userId === userId).map(({ data }) => (data as { n: number }).n)
    t.deepEqual(
      own,
      Array.from({ length: 60 }, (_, n) => n)
    )
  }
})

test('order does not depend on the clocks of the writers', async (t) => {
  const stage = await createEventStage(t)
  // Ids hold a writer's clock: the first writer's runs an hour ahead.
  const [ahead, behind] = ['ffffffff-0000-7000-8000-000000000000', '00000000-0000-7000-8000-000000000000']
  for (const id of [ahead, behind]) await stage.knex('events').insert({ id, type: 'client.x', data: '{}' })
  stage.relay().start()
  const placed = await eventually(async () => {
    const entries = await stage.placed()
    return entries.length === 2 && entries
  })
  t.deepEqual(
    placed.map(({ id }) => id),
    [ahead, behind]
  )
})

test('each event is told on Redis within milliseconds, with the position before it', async (t) => {
  const stage = await createEventStage(t)
  const userId = await stage.newUser()
  const relay = stage.relay()
  relay.start()
  await eventually(async () => relay.leading())
  const heard = await listenToRedis(stage)

  const goalId = newId()
  const ids = []
  for (let i = 0; i < 20; i++) ids.push(await stage.append({ userId, channels: [`goal:${goalId}`] }))
  await eventually(async () => heard.length === 20)
  t.deepEqual(
    heard.map(({ event }) => event.id),
    ids
  )
  t.deepEqual(heard[0]?.channels, [`user:${userId}`, `goal:${goalId}`])
  for (const [i, { position, previous }] of heard.entries()) {
    t.is(position, i + 1)
    t.is(previous, i)
  }
})

test('an event is placed by polling when the message that wakes the relay is lost', async (t) => {
  const stage = await createEventStage(t)
  const relay = stage.relay()
  relay.start()
  await eventually(async () => relay.leading())
  await stage.knex('events').insert({ id: newId(), type: 'client.x', data: '{}' })
  await eventually(async () => (await stage.placed()).length === 1)
  t.pass()
})

test('another relay takes over at its first look after a lease of 2 s, and the stale one can write nothing', async (t) => {
  const stage = await createEventStage(t)
  const { relayStore: store } = stage
  // A relay that stops renewing, as one that was killed or frozen does.
  const stale = await store.acquire('frozen', 600_000)
  t.truthy(stale)
  if (!stale) return
  t.truthy(await store.cursors(stale, ['redis']))
  const looks: number[] = []
  stage.knex.on('query', ({ sql }: { sql: string }) => sql.startsWith('update relay') && looks.push(performance.now()))
  const relay = stage.relay()
  relay.start()
  await eventually(async () => looks.length > 10)
  t.false(relay.leading())
  // A busy machine makes looks late, not all of them.
  t.true(Math.min(...looks.slice(1).map((at, n) => at - (looks[n] as number))) < 900, `${looks.join(', ')}`)
  await stage.knex('relay').update({ expires_at: stage.knex.raw('clock_timestamp()') })
  const before = looks.length
  // The look under way may come too early, the next one does not.
  await eventually(async () => relay.leading() || looks.length > before + 2)
  t.true(relay.leading())
  const { rows } = await stage.knex.raw(
    `select expires_at <= clock_timestamp() + interval '2 seconds' as short from relay`
  )
  t.true(rows[0].short)

  await stage.append({})
  await eventually(async () => (await stage.placed()).length === 1)
  await stage.knex('events').insert({ id: newId(), type: 'client.x', data: '{}' })
  t.is(await store.place(stale, 10), undefined)
  t.is(await store.cursors(stale, ['other']), undefined)
  t.false(await store.saveCursors(stale, [{ sink: 'redis', position: 1_000, failure: undefined }]))
  await store.release(stale)
  t.true(relay.leading())
  const placed = await eventually(async () => {
    const entries = await stage.placed()
    return entries.length === 2 && entries
  })
  t.deepEqual(
    placed.map(({ position }) => position),
    [1, 2]
  )
})

test('several relays give each position once while the lead changes hands', async (t) => {
  const stage = await createEventStage(t)
  const heard = await listenToRedis(stage)
  const relays = [stage.relay(), stage.relay(), stage.relay()]
  for (const relay of relays) relay.start()

  const ids: string[] = []
  for (let round = 0; round < 3; round++) {
    const leader = await eventually(async () => relays.find((relay) => relay.leading()))
    t.is(relays.filter((relay) => relay.leading()).length, 1)
    for (let i = 0; i < 20; i++) ids.push(await stage.append({}))
    const stopped = leader.stop()
    for (let i = 0; i < 20; i++) ids.push(await stage.append({}))
    await stopped
    relays.splice(relays.indexOf(leader), 1)
    if (relays.length === 0) break
  }
  const last = stage.relay()
  last.start()
  const placed = await eventually(async () => {
    const entries = await stage.placed()
    return entries.length === ids.length && entries
  })
  t.deepEqual(
    placed.map(({ id }) => id),
    ids
  )
  // A lead that was handed over in peace repeats nothing and skips nothing.
  await eventually(async () => heard.length >= ids.length)
  t.deepEqual(
    heard.map(({ event }) => event.id),
    ids
  )
})

test('two relays that place at the same moment give no position twice', async (t) => {
  const stage = await createEventStage(t)
  const { relayStore: store } = stage
  await stage
    .knex('events')
    .insert(Array.from({ length: 2_000 }, () => ({ id: newId(), type: 'client.x', data: '{}' })))
  const first = await store.acquire('first', 60_000)
  if (!first) return t.fail()
  // Both statements run under the same lease here: the race of a relay that is replaced between its two steps.
  const answers = await Promise.all(Array.from({ length: 8 }, () => store.place(first, 300)))
  while ((await store.place(first, 300))?.placed.length) {
    // until nothing waits
  }
  t.true(answers.every((answer) => answer !== undefined))
  const positions = (await stage.placed()).map(({ position }) => position)
  t.is(positions.length, 2_000)
  t.is(new Set(positions).size, 2_000)
  t.is((await stage.events.ends()).last, positions.at(-1) ?? 0)
})

test('old events are removed only when every sink has them, and readers are told how far', async (t) => {
  const stage = await createEventStage(t)
  const { relayStore: store } = stage
  const lease = await store.acquire('only', 60_000)
  if (!lease) return t.fail()
  await store.cursors(lease, ['redis', 'rabbitmq'])
  for (let i = 0; i < 5; i++) await stage.append({})
  await store.place(lease, 10)
  await stage
    .knex('events')
    .where('position', '<=', 4)
    .update({ time: stage.knex.raw(`now() - interval '31 days'`) })

  const trim = async (limit: number) => await store.trim(lease, await store.old(30, limit))
  t.is(await trim(100), 0)
  await store.saveCursors(lease, [{ sink: 'redis', position: 5, failure: undefined }])
  t.is(await trim(100), 0)
  await store.saveCursors(lease, [{ sink: 'rabbitmq', position: 3, failure: undefined }])
  t.is(await trim(2), 2)
  t.is(await trim(100), 1)
  t.deepEqual(
    (await stage.placed()).map(({ position }) => position),
    [4, 5]
  )
  t.deepEqual(await stage.events.ends(), { last: 5, trimmed: 3 })
  // A sink that is gone for good holds nothing back.
  await store.cursors(lease, ['redis'])
  t.is(await trim(100), 1)
})

test('a sink that fails says why, in the log, to every process, and no longer once it works', async (t) => {
  const stage = await createEventStage(t)
  let broken = true
  const tried: number[] = []
  const sink: Sink = {
    name: 'picky',
    async deliver(batch, confirmed) {
      tried.push(batch.length)
      if (broken) throw new NamedFailure('no_disk', 'it has no room')
      for (const { position } of batch) confirmed(position)
      return undefined
    }
  }
  stage.relay({ sinks: [sink] }).start()
  await stage.append({})
  const state = async () => (await stage.relayStore.lag()).sinks.find((one) => one.sink === 'picky')
  const failing = await eventually(async () => (await state())?.failing)
  t.like(failing, { code: 'no_disk', message: 'it has no room' })
  t.regex(failing.since, /^\d{4}-/)
  t.is((await state())?.behind, 1)
  await eventually(async () => tried.length > 2)
  t.is((await state())?.failing?.since, failing.since)

  broken = false
  await eventually(async () => (await state())?.behind === 0 && !(await state())?.failing)
  t.deepEqual(await state(), { sink: 'picky', behind: 0, seconds: 0 })
})
