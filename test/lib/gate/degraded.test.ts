import test, { type ExecutionContext } from 'ava'
import { v7 as newId } from 'uuid'
import type { Decision, DecisionRecord } from '../../../lib/gate/decision.ts'
import { type Gate, type GateOptions, GateUnavailableError } from '../../../lib/gate/gate.ts'
import { rateLimitHeaders } from '../../../lib/gate/headers.ts'
import { createGateKeys } from '../../../lib/gate/keys.ts'
import { defaultLimits } from '../../../lib/gate/limits.ts'
import { createLocalBuckets } from '../../../lib/gate/local-buckets.ts'
import { gateRedisOptions } from '../../../lib/gate/redis-options.ts'
import {
  connected,
  eventually,
  facts,
  gateFor,
  type PrivateRedis,
  privateRedis,
  user,
  waitingDecisions
} from '../../helpers/gate.ts'

const prefix = 'degraded'
const chat = ['chat_completion', 'api_call'] as const
/** For tests in which Redis fails at once, or in which only what happens counts: Redis has as long as it takes. */
const patient = { timeoutMs: 10_000 }
const slow = { ...defaultLimits, chat_completion: { limitPerMinute: 10, burst: 1 } }

/** Only the connection, which is none of what is tested, may take its time. */
const asInService = { ...gateRedisOptions, connectTimeout: 60_000 }

/** A gate as an API process has it, with its own client and its own name. */
async function processOf(t: ExecutionContext, server: PrivateRedis, options: Partial<GateOptions> = {}) {
  const redis = await connected(t, server.url, asInService)
  const gate = gateFor({ redis, prefix, limits: slow, timeoutMs: 35, processId: newId(), ...options })
  await gate.start()
  t.teardown(() => gate.close())
  return { redis, gate }
}

function asking(gate: Gate, id: string, watch?: ReturnType<typeof stopwatch>) {
  return async (): Promise<Decision> => {
    const begun = watch?.now() ?? 0
    const request = facts(id, { action: 'chat_completion' })
    const decision = await gate.take({ subject: user(id), buckets: [...chat], request })
    watch?.took.push(watch.now() - begun)
    return decision
  }
}

async function oneByOne(count: number, ask: () => Promise<Decision>): Promise<Decision[]> {
  const decisions: Decision[] = []
  for (let i = 0; i < count; i++) decisions.push(await ask())
  return decisions
}

/** What decisions took, by a clock that stands still while this process is kept waiting by others on its machine. */
function stopwatch(t: ExecutionContext) {
  const took: number[] = []
  // A timer that is late by much rings once: there are at most as many milliseconds as the process had.
  let nowMs = 0
  const clock = setInterval(() => nowMs++, 1)
  t.teardown(() => clearInterval(clock))
  return { took, now: () => nowMs, slowest: () => Math.max(...took) }
}

const allowed = (decisions: Decision[]) => decisions.filter(({ ok }) => ok).length
/** How many decisions records stand for: refusals past those of a minute are one, told again as its count grows. */
function decisionsIn(records: Pick<DecisionRecord, 'id' | 'repeats'>[]): number {
  const repeatsOf = new Map<string, number>()
  for (const { id, repeats = 0 } of records) repeatsOf.set(id, Math.max(repeats, repeatsOf.get(id) ?? 0))
  return [...repeatsOf.values()].reduce((sum, repeats) => sum + 1 + repeats, 0)
}
/** Tokens a minute of ten refill one in six seconds; what these tests take of time is counted, not guessed. */
const refilledSince = (begun: number) => Math.floor((performance.now() - begun) / 6_000) + 1

test.serial(
  'while Redis is stopped decisions come within 50 ms, bounded and marked; afterwards there is no second burst',
  async (t) => {
    const server = await privateRedis(t)
    // Patient, so that a busy machine does not make it decide alone: a Redis that is stopped fails at once.
    const { gate, redis } = await processOf(t, server, patient)
    const id = newId()
    const watch = stopwatch(t)
    const begun = performance.now()
    await asking(gate, newId())()

    await server.kill()
    const decisions = await oneByOne(300, asking(gate, id, watch))
    t.true(watch.slowest() < 50, `${watch.slowest()} ms`)
    t.true(allowed(decisions) >= 10 && allowed(decisions) <= 10 + refilledSince(begun))
    t.true(decisions.every(({ degraded, outcome }) => degraded && outcome === 'degraded'))
    const refused = decisions.find(({ ok }) => !ok)
    t.deepEqual(refused?.refusedBy, ['chat_completion'])
    t.true(Number(refused?.retryAfterSeconds) > 0)
    t.regex(
      rateLimitHeaders(decisions[0] as Decision).RateLimit ?? '',
      /^"chat_completion";r=9;t=\d+;goals-degraded, "api_call"/
    )

    await server.start()
    const back = performance.now()
    await eventually('Redis decides again', () => !gate.isDegraded())
    t.log(`Redis decided again ${Math.round(performance.now() - back)} ms after it was back`)
    const after = await oneByOne(20, asking(gate, id))
    t.true(after.every(({ degraded }) => !degraded))
    t.true(allowed(decisions) + allowed(after) <= 10 + refilledSince(begun))

    await eventually(
      'all decisions are in Redis',
      async () => decisionsIn(await waitingDecisions(redis, prefix)) === 320
    )
    const written = await waitingDecisions(redis, prefix)
    t.is(decisionsIn(written.filter(({ outcome }) => outcome === 'degraded')), 300)
    const record = written.find((decision) => decision.id === refused?.id)
    t.like(record, { userId: id, action: 'chat_completion', outcome: 'degraded' })
    t.like(record?.limits[0], { name: 'chat_completion', capacity: 10, remaining: 0, refused: true })
  }
)

for (const how of ['freezes', 'answers after 3 s'] as const) {
  test.serial(`a Redis that ${how} holds no decision up, takes no token twice and makes no decision two`, async (t) => {
    const server = await privateRedis(t)
    const { gate, redis } = await processOf(t, server)
    const id = newId()
    const watch = stopwatch(t)
    const begun = performance.now()
    const first = await oneByOne(3, asking(gate, id))
    t.is(allowed(first), 3)

    if (how === 'freezes') server.freeze()
    else await redis.client('PAUSE', 3_000, 'ALL')
    // many at once: all of them are on their way when nobody knows yet
    const early = await Promise.all(Array.from({ length: 40 }, asking(gate, id, watch)))
    const later = await oneByOne(100, asking(gate, id, watch))
    t.true(watch.slowest() < 50, `${watch.slowest()} ms`)
    t.true([...early, ...later].every(({ degraded }) => degraded))
    const during = allowed(early) + allowed(later)
    t.true(during >= 7 && during <= 7 + refilledSince(begun), `${during} more after the first three`)

    if (how === 'freezes') {
      const thawAt = begun + 3_000
      await eventually('three seconds have gone by', () => performance.now() > thawAt)
      server.thaw()
    }
    await eventually('Redis decides again', () => !gate.isDegraded())

    const after = await oneByOne(20, asking(gate, id))
    t.true(3 + during + allowed(after) <= 10 + refilledSince(begun), `3 + ${during} + ${allowed(after)}`)
    await eventually('the entry of each decision alone is left', async () => {
      return decisionsIn(await waitingDecisions(redis, prefix)) === 163
    })
    const written = await waitingDecisions(redis, prefix)
    // A busy machine may have made the process decide alone also while Redis was well.
    const alone = [...first, ...early, ...later, ...after].filter(({ degraded }) => degraded).length
    t.is(decisionsIn(written.filter(({ outcome }) => outcome === 'degraded')), alone)
  })
}

test.serial('each process grants its share of the limit, by the processes last seen', async (t) => {
  const server = await privateRedis(t)
  const gates = [
    await processOf(t, server, patient),
    await processOf(t, server, patient),
    await processOf(t, server, { ...patient, announce: false })
  ]
  await gates[0]?.gate.close() // one that left is not counted ...
  gates[0] = await processOf(t, server, patient) // ... but its successor is
  const [one, other] = [gates[0].gate, (gates[1] as { gate: Gate }).gate]
  await eventually('both have seen two processes', () => one.processes() === 2 && other.processes() === 2)
  await server.kill()

  const begun = performance.now()
  const id = newId()
  const first = await oneByOne(30, asking(one, id))
  const second = await oneByOne(30, asking(other, id))
  t.true(allowed(first) >= 5 && allowed(first) <= 5 + refilledSince(begun), `${allowed(first)}`)
  t.true(allowed(second) >= 5 && allowed(second) <= 5 + refilledSince(begun), `${allowed(second)}`)
  t.like(first[0]?.buckets[0], { capacity: 5, remaining: 4, windowSeconds: 60 })

  await server.start()
  await eventually('both are back', () => !one.isDegraded() && !other.isDegraded())
  const after = await oneByOne(10, asking(one, id))
  t.true(allowed(first) + allowed(second) + allowed(after) <= 10 + refilledSince(begun))
})

test.serial('who had spent the tokens before Redis failed gets none anew', async (t) => {
  const server = await privateRedis(t)
  const { gate } = await processOf(t, server, patient)
  const id = newId()
  const begun = performance.now()
  const before = allowed(await oneByOne(12, asking(gate, id)))
  await server.kill()
  const during = allowed(await oneByOne(20, asking(gate, id)))
  t.true(before + during <= 10 + refilledSince(begun), `${before} + ${during}`)
})

test.serial('an admission and its end may fall on both sides of a failure', async (t) => {
  const server = await privateRedis(t)
  const { gate, redis } = await processOf(t, server, { timeoutMs: 1_000 })
  const ids = [newId(), newId(), newId()]
  const admit = (id: string) => gate.admit({ subject: user(id), request: facts(id, { action: 'rag_search' }) })
  const [before, unfinished] = [await admit(ids[0] ?? ''), await admit(ids[2] ?? '')]

  server.freeze()
  const upgraded = await gate.upgrade(before)
  t.like(upgraded, { id: before.id, ok: true, outcome: 'degraded', action: 'rag_search' })
  const settled = await gate.settle(unfinished)
  t.like(settled, { ok: true, outcome: 'allowed' })
  const during = await admit(ids[1] ?? '')
  t.like(during, { ok: true, outcome: 'degraded' })
  server.thaw()
  await eventually('Redis decides again', () => !gate.isDegraded())
  t.like(await gate.upgrade(during), { id: during.id, ok: true, outcome: 'degraded', action: 'rag_search' })

  const wanted = new Map([
    [before.id, 'rag_search degraded'],
    [during.id, 'rag_search degraded'],
    [unfinished.id, 'api_call allowed']
  ])
  await eventually('each is one decision', async () => {
    const written = await waitingDecisions(redis, prefix)
    return written.length === 3 && written.every(({ id, action, outcome }) => wanted.get(id) === `${action} ${outcome}`)
  })
  const left = await gate.peek({ subject: user(ids[1] ?? ''), buckets: ['api_call', 'rag_search'] })
  t.is(left[1]?.remaining, 74)
})

test.serial('decisions made alone are stored directly where that is possible', async (t) => {
  const server = await privateRedis(t)
  const rows: DecisionRecord[] = []
  let away = true
  const { gate } = await processOf(t, server, {
    ...patient,
    recordDirectly: async (records) => {
      if (away) throw new Error('not yet')
      rows.push(...records)
    }
  })
  await server.kill()
  const id = newId()
  const decisions = await oneByOne(250, asking(gate, id))
  t.is(rows.length, 0)
  away = false
  await eventually('all are stored', () => decisionsIn(rows) === 250)
  const ids = new Set(decisions.map((decision) => decision.id))
  t.true(rows.every((row) => ids.has(row.id)))
  t.true(rows.every(({ outcome, userId }) => outcome === 'degraded' && userId === id))
})

test.serial('what waits in memory is bounded, and what was dropped is said', async (t) => {
  const server = await privateRedis(t)
  const said: object[] = []
  const log = { info: (fields: object) => void said.push(fields), warn() {}, error() {} }
  const { gate, redis } = await processOf(t, server, { ...patient, bufferSize: 50, log })
  await server.kill()
  const decisions = await oneByOne(200, () => asking(gate, newId())())
  await server.start()
  await eventually(
    'the last fifty are in Redis',
    async () => !gate.isDegraded() && (await waitingDecisions(redis, prefix)).length >= 50
  )
  const written = (await waitingDecisions(redis, prefix)).map(({ id }) => id)
  t.true(decisions.slice(-50).every(({ id }) => written.includes(id)))
  const dropped = said
    .map((fields) => ('dropped' in fields ? Number(fields.dropped) : 0))
    .reduce((sum, count) => sum + count, 0)
  t.is(dropped + written.length, 200)
})

test.serial('a reset while Redis is away says that it was none', async (t) => {
  const server = await privateRedis(t)
  const { gate } = await processOf(t, server, patient)
  await server.kill()
  await asking(gate, newId())()
  await t.throwsAsync(gate.reset({ subject: user(newId()) }), { instanceOf: GateUnavailableError })
})

test.serial('a reset reaches a Redis that was only late, though the gate decides alone', async (t) => {
  const server = await privateRedis(t)
  const { gate, redis } = await processOf(t, server, { timeoutMs: 500, probeEveryMs: 600_000 })
  const id = newId()
  await oneByOne(3, asking(gate, id))
  await redis.client('PAUSE', 1_000)
  t.like(await asking(gate, id)(), { outcome: 'degraded' })
  t.deepEqual(await gate.reset({ subject: user(id), buckets: ['chat_completion'] }), ['chat_completion'])
  t.true(gate.isDegraded())
  t.is(await redis.exists(createGateKeys(prefix).bucket(user(id), 'chat_completion')), 0)
})

test.serial('a gate that starts while Redis is away works, and joins later', async (t) => {
  const server = await privateRedis(t)
  const redis = await connected(t, server.url, asInService)
  await server.kill()
  await eventually('the client has noticed', () => redis.status !== 'ready')
  const gate = gateFor({ redis, prefix, ...patient })
  t.teardown(() => gate.close())
  await gate.start()
  t.like(await asking(gate, newId())(), { ok: true, outcome: 'degraded' })
  await server.start()
  await eventually('Redis decides again', () => !gate.isDegraded())
  t.like(await asking(gate, newId())(), { ok: true, outcome: 'allowed' })
})

test.serial('a debit leaves what Redis would hold had it granted everything itself', async (t) => {
  const server = await privateRedis(t)
  const clock = { now: 1_800_000_000_000_000 }
  const { gate } = await processOf(t, server, { now: () => clock.now, timeoutMs: 1_000 })
  const id = newId()
  const ask = asking(gate, id)
  const left = async () => (await gate.peek({ subject: user(id), buckets: ['chat_completion'] }))[0]?.remaining
  await oneByOne(10, ask)

  server.freeze()
  t.false((await ask()).ok) // seen empty by this process too
  clock.now += 60_000_000
  t.is(allowed(await oneByOne(4, ask)), 4)
  clock.now += 1_800_000_000 // half an hour: all of it has been refilled since
  t.is(allowed(await oneByOne(3, ask)), 3)
  server.thaw()
  await eventually('Redis decides again', () => !gate.isDegraded())
  await eventually('the debit is booked', async () => (await left()) === 7)
  t.is(await left(), 7)
})

test.serial('what a process remembers of buckets is bounded', (t) => {
  const local = createLocalBuckets(100)
  const limit = { limitPerMinute: 10, burst: 1 }
  const take = (key: string) => local.apply([{ key, verb: 'take', limit, cost: 1 }], 0, 1).ok
  for (let i = 0; i < 250; i++) t.true(take(`bucket ${i}`))
  t.is(local.collect(0, 1, 1_000).length, 100)
  for (let i = 0; i < 9; i++) t.true(take('bucket 249'))
  t.false(take('bucket 249'))
})
