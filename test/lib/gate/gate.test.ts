import test from 'ava'
import { Cluster } from 'ioredis'
import { v7 as newId } from 'uuid'
import { unitsPerToken } from '../../../lib/gate/bucket.ts'
import { createDecisionReader } from '../../../lib/gate/decision-reader.ts'
import { createGateKeys, loginSubject } from '../../../lib/gate/keys.ts'
import type { GateAction } from '../../../lib/actions/actions.ts'
import { type BucketLimit, defaultLimits } from '../../../lib/gate/limits.ts'
import { gateRedisOptions } from '../../../lib/gate/redis-options.ts'
import {
  connected,
  eventually,
  freePort,
  facts,
  gateFor,
  ownPrefix,
  privateRedis,
  quiet,
  user,
  waitingDecisions
} from '../../helpers/gate.ts'

const start = 1_800_000_000_000_000
const second = 1_000_000

const inOrder = <T extends unknown[]>(rows: T[]) => rows.toSorted((a, b) => a.join().localeCompare(b.join()))

test('an AI submission takes a token of its action and one of api_call, and is one decision', async (t) => {
  const place = await ownPrefix(t)
  const gate = gateFor(place)
  const id = newId()
  const request = facts(id, { action: 'chat_completion', method: 'POST', path: '/api/v1/chat' })

  const decision = await gate.take({ subject: user(id), buckets: ['chat_completion', 'api_call'], request })
  t.like(decision, { ok: true, outcome: 'allowed', action: 'chat_completion', refusedBy: [], retryAfterSeconds: 0 })
  t.deepEqual(
    decision.buckets.map(({ name, capacity, remaining, windowSeconds }) => [name, capacity, remaining, windowSeconds]),
    [
      ['chat_completion', 10, 9, 60],
      ['api_call', 150, 149, 90]
    ]
  )
  t.deepEqual(await waitingDecisions(place.redis, place.prefix), [
    {
      id: decision.id,
      at: decision.at.getTime(),
      userId: id,
      ip: '192.0.2.7',
      action: 'chat_completion',
      outcome: 'allowed',
      method: 'POST',
      path: '/api/v1/chat',
      userAgent: 'test',
      limits: [
        { name: 'chat_completion', capacity: 10, remaining: 9, refused: false },
        { name: 'api_call', capacity: 150, remaining: 149, refused: false }
      ],
      repeats: 0
    }
  ])
  t.true(Math.abs(decision.at.getTime() - Date.now()) < 60_000)
})

test('a refused action costs no api_call, in one call and in two', async (t) => {
  const place = await ownPrefix(t)
  const gate = gateFor({ ...place, now: () => start })
  const id = newId()
  const subject = user(id)
  const request = facts(id, { action: 'bulk_create' })
  for (let i = 0; i < 5; i++) t.true((await gate.take({ subject, buckets: ['bulk_create', 'api_call'], request })).ok)

  const refused = await gate.take({ subject, buckets: ['bulk_create', 'api_call'], request })
  t.like(refused, { ok: false, outcome: 'blocked', action: 'bulk_create', retryAfterSeconds: 12 })
  t.deepEqual(refused.refusedBy, ['bulk_create'])
  t.deepEqual(
    refused.buckets.map(({ name, remaining }) => [name, remaining]),
    [
      ['bulk_create', 0],
      ['api_call', 145]
    ]
  )

  const admission = await gate.admit({ subject, request })
  t.like(admission, { ok: true, action: 'api_call' })
  t.deepEqual((await gate.peek({ subject, buckets: ['api_call'] }))[0]?.remaining, 144)
  const end = await gate.upgrade(admission)
  t.like(end, { id: admission.id, ok: false, outcome: 'blocked', action: 'bulk_create', retryAfterSeconds: 12 })
  t.deepEqual(end.refusedBy, ['bulk_create'])
  t.deepEqual((await gate.peek({ subject, buckets: ['api_call'] }))[0]?.remaining, 145)
})

test('an admission is one decision, however it ends and however often that is said', async (t) => {
  const place = await ownPrefix(t)
  const gate = gateFor({ ...place, now: () => start })
  const id = newId()
  const subject = user(id)
  const request = facts(id, { action: 'rag_search' })
  const [first, second_] = await Promise.all([gate.admit({ subject, request }), gate.admit({ subject, request })])
  t.deepEqual(await waitingDecisions(place.redis, place.prefix), [])
  t.deepEqual(
    first.buckets.map(({ name }) => name),
    ['rag_search', 'api_call']
  )

  const upgraded = await gate.upgrade(first)
  t.is(await gate.settle(first), upgraded)
  await Promise.all([gate.settle(second_), gate.settle(second_)])

  const written = await waitingDecisions(place.redis, place.prefix)
  t.deepEqual(
    inOrder(written.map(({ id: own, action, outcome, at }) => [own, action, outcome, at])),
    inOrder([
      [first.id, 'rag_search', 'allowed', first.at.getTime()],
      [second_.id, 'api_call', 'allowed', second_.at.getTime()]
    ])
  )
  const keys = createGateKeys(place.prefix)
  t.is(await place.redis.xlen(keys.admitted(keys.shardOf(subject))), 0)
  t.deepEqual(
    (await gate.peek({ subject, buckets: ['rag_search', 'api_call'] })).map(({ remaining }) => remaining),
    [74, 148]
  )
})

test('an admission refused for want of api_call is recorded at once, as what it asked for', async (t) => {
  const place = await ownPrefix(t)
  const gate = gateFor({
    ...place,
    now: () => start,
    limits: { ...defaultLimits, api_call: { limitPerMinute: 1, burst: 1 } }
  })
  const id = newId()
  const request = facts(id, { action: 'chat_completion' })
  await gate.take({ subject: user(id), buckets: ['api_call'], request: facts(id) })
  const refused = await gate.admit({ subject: user(id), request })
  t.like(refused, { ok: false, outcome: 'blocked', action: 'chat_completion', retryAfterSeconds: 60 })
  t.deepEqual(
    refused.buckets.map(({ name }) => name),
    ['api_call']
  )
  const written = await waitingDecisions(place.redis, place.prefix)
  t.deepEqual(inOrder(written.map(({ action, outcome }) => [action, outcome])), [
    ['api_call', 'allowed'],
    ['chat_completion', 'blocked']
  ])
  await t.throwsAsync(async () => gate.upgrade(refused), { instanceOf: TypeError })
})

test('a token that has been refilled meanwhile is not given back a second time', async (t) => {
  const place = await ownPrefix(t)
  const clock = { now: start }
  const gate = gateFor({
    ...place,
    now: () => clock.now,
    limits: { ...defaultLimits, chat_completion: { limitPerMinute: 1, burst: 1 } }
  })
  const id = newId()
  const subject = user(id)
  const request = facts(id, { action: 'chat_completion' })
  await gate.take({ subject, buckets: ['chat_completion'], request })
  const waiting = await Promise.all(Array.from({ length: 20 }, () => gate.admit({ subject, request })))
  clock.now += 30 * second // api_call is full again
  const taken = await Promise.all(
    Array.from({ length: 151 }, () => gate.take({ subject, buckets: ['api_call'], request: facts(id) }))
  )
  t.is(taken.filter(({ ok }) => ok).length, 150)
  const ends = await Promise.all(waiting.map((admission) => gate.upgrade(admission)))
  t.true(ends.every(({ ok }) => !ok))
  t.is((await gate.peek({ subject, buckets: ['api_call'] }))[0]?.remaining, 0)
})

test('a hundred requests at once share the tokens there are', async (t) => {
  const place = await ownPrefix(t)
  const [one, other] = [gateFor({ ...place, now: () => start }), gateFor({ ...place, now: () => start })]
  const id = newId()
  const request = facts(id, { action: 'chat_completion' })
  const decisions = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      (i % 2 ? one : other).take({ subject: user(id), buckets: ['chat_completion', 'api_call'], request })
    )
  )
  t.is(decisions.filter(({ ok }) => ok).length, 10)
  t.is((await one.peek({ subject: user(id), buckets: ['api_call'] }))[0]?.remaining, 140)
  const written = await waitingDecisions(place.redis, place.prefix)
  t.is(new Set(written.map((decision) => decision.id)).size, 70)
  t.is(written.filter(({ outcome }) => outcome === 'blocked').length, 60) // thirty more are counted: see flood.test.ts
})

test('every key of a request has the same slot, and users spread over the shards', async (t) => {
  const place = await ownPrefix(t)
  const keys = createGateKeys(`{${place.prefix}}`)
  const seen = new Set<number>()
  for (let i = 0; i < 64; i++) {
    const subject = user(newId())
    const shard = keys.shardOf(subject)
    seen.add(shard)
    const beside = keys.besideSubject(subject)
    const names = [...beside, keys.bucket(subject, 'api_call'), keys.bucket(subject, 'rag_search')]
    t.deepEqual(beside.slice(0, 4), [keys.decisions(shard), keys.admitted(shard), ...keys.repeats(shard)])
    const tags = names.map((name) => /\{([^}]+)\}/.exec(name)?.[1])
    t.is(new Set(tags).size, 1)
    t.deepEqual(keys.besideBucket(keys.bucket(subject, 'api_call')), beside)
    t.deepEqual(keys.besideShard(shard).slice(0, 4), beside.slice(0, 4))
  }
  t.is(seen.size, keys.shards.length)
})

test('a bucket is gone from Redis once it is full', async (t) => {
  const place = await ownPrefix(t)
  const gate = gateFor(place)
  const subject = user(newId())
  await gate.take({ subject, buckets: ['api_call'], request: facts(subject.id) })
  const key = createGateKeys(place.prefix).bucket(subject, 'api_call')
  const ttl = await place.redis.pttl(key)
  t.true(ttl > 600 && ttl <= 600 + 10_000, `${ttl} ms`)
  t.deepEqual(await gate.peek({ subject: user(newId()), buckets: ['api_call'] }), [
    { name: 'api_call', capacity: 150, windowSeconds: 90, remaining: 150, resetSeconds: 0, retryAfterMs: 0 }
  ])
})

test("an administrator's limit for one user is in force at the next request and grants nothing for free", async (t) => {
  const place = await ownPrefix(t)
  const clock = { now: start }
  const id = newId()
  let own: Partial<Record<GateAction, BucketLimit>> | undefined
  const gate = gateFor({
    ...place,
    now: () => clock.now,
    overrides: { for: (userId) => (userId === id ? own : undefined) }
  })
  const take = () => gate.take({ subject: user(id), buckets: ['chat_completion'], request: facts(id) })
  for (let i = 0; i < 8; i++) await take()

  own = { chat_completion: { limitPerMinute: 600, burst: 1 } }
  clock.now += 6 * second // one token at the old rate, sixty at the new
  const raised = await take()
  t.like(raised.buckets[0], { capacity: 600, remaining: 2, windowSeconds: 60 })
  clock.now += second
  t.is((await take()).buckets[0]?.remaining, 11)

  own = { chat_completion: { limitPerMinute: 5, burst: 1 } }
  const lowered = await take()
  t.like(lowered.buckets[0], { capacity: 5, remaining: 4 })
  t.deepEqual(gate.limitsOf(id).chat_completion, { limitPerMinute: 5, burst: 1 })

  own = undefined
  t.like((await take()).buckets[0], { capacity: 10, remaining: 3 })
  t.is(gate.limitsOf(id).chat_completion.limitPerMinute, 10)
})

test('raising an empty bucket counts at the new rate from the first refusal on', async (t) => {
  const place = await ownPrefix(t)
  const clock = { now: start }
  const id = newId()
  const own: Partial<Record<GateAction, BucketLimit>> = {}
  const gate = gateFor({ ...place, now: () => clock.now, overrides: { for: () => own } })
  const take = () => gate.take({ subject: user(id), buckets: ['bulk_create'], request: facts(id) })
  for (let i = 0; i < 5; i++) await take()
  t.is((await take()).retryAfterSeconds, 12)
  own.bulk_create = { limitPerMinute: 60, burst: 1 }
  t.is((await take()).retryAfterSeconds, 1)
  clock.now += second
  t.true((await take()).ok)
})

test('a reset fills the buckets named, or all of the subject', async (t) => {
  const place = await ownPrefix(t)
  const gate = gateFor({ ...place, now: () => start })
  const id = newId()
  const subject = user(id)
  const request = facts(id, { action: 'chat_completion' })
  const spend = () => gate.take({ subject, buckets: ['chat_completion', 'api_call'], request })
  const left = async () =>
    (await gate.peek({ subject, buckets: ['chat_completion', 'api_call'] })).map(({ remaining }) => remaining)
  await spend()
  t.deepEqual(await gate.reset({ subject, buckets: ['chat_completion'] }), ['chat_completion'])
  t.deepEqual(await left(), [10, 149])
  await spend()
  t.is((await gate.reset({ subject })).length, 6)
  t.deepEqual(await left(), [10, 150])
})

test('a failed login costs the address and e-mail that failed, and nobody else', async (t) => {
  const place = await ownPrefix(t)
  const gate = gateFor({ ...place, now: () => start })
  const email = 'someone@example.test'
  /** A login takes a token of its address, and holds one of address and e-mail until the password was right. */
  const login = async (address: string, written: string, right: boolean) => {
    const request = facts(null, { method: 'POST', path: '/api/v1/auth/token' })
    const decision = await gate.admit({ subject: { kind: 'address', address }, buckets: ['auth'], request })
    const guess = await gate.hold({ subject: loginSubject(address, written), buckets: ['login_failed'] })
    if (!guess.ok) return gate.settle(decision, guess.buckets[0])
    if (right) await guess.giveBack()
    return gate.settle(decision)
  }

  const tries = await Promise.all(
    Array.from({ length: 12 }, (_, i) => login('198.51.100.9', i % 2 ? email : 'Someone@Example.test', false))
  )
  t.is(tries.filter(({ ok }) => ok).length, 10)
  const refused = tries.find(({ ok }) => !ok)
  t.like(refused, { outcome: 'blocked', action: 'api_call', retryAfterSeconds: 6 })
  t.deepEqual(refused?.refusedBy, ['login_failed'])
  t.deepEqual(
    refused?.buckets.map(({ name }) => name),
    ['login_failed', 'auth']
  )

  for (let i = 0; i < 12; i++) t.true((await login('203.0.113.5', email, true)).ok)
  t.true((await login('198.51.100.9', 'another@example.test', false)).ok)
  t.like((await gate.peek({ subject: loginSubject('203.0.113.5', email), buckets: ['login_failed'] }))[0], {
    remaining: 10
  })

  const written = await waitingDecisions(place.redis, place.prefix)
  t.is(written.length, 25)
  t.deepEqual(written.find(({ outcome }) => outcome === 'blocked')?.limits[0], {
    name: 'login_failed',
    capacity: 10,
    remaining: 0,
    refused: true
  })
})

/** Someone's AI submission from an address, from its admission to its end. */
function submitterOf(gate: ReturnType<typeof gateFor>, action: GateAction = 'rag_search') {
  return async (id: string, ip: string) => {
    const admission = await gate.admit({ subject: user(id), request: facts(id, { action, ip }) })
    gate.expectUpgrade(admission)
    return await gate.upgrade(admission)
  }
}

test('the AI actions of one address share a bucket over all its accounts, and it alone is named when it refuses', async (t) => {
  const place = await ownPrefix(t)
  const limits = { ...defaultLimits, address_ai: { limitPerMinute: 20, burst: 1 } }
  const gate = gateFor({ ...place, limits, now: () => start })
  const submit = submitterOf(gate, 'chat_completion')
  const ids = Array.from({ length: 30 }, () => newId())

  const decisions = await Promise.all(ids.flatMap((id) => [submit(id, '192.0.2.1'), submit(id, '::ffff:192.0.2.1')]))
  t.is(decisions.filter(({ ok }) => ok).length, 20)
  const refused = decisions.filter(({ ok }) => !ok)
  t.true(refused.every(({ refusedBy }) => refusedBy.join() === 'address_ai'))
  t.like(refused[0], { outcome: 'blocked', action: 'chat_completion', retryAfterSeconds: 3 })
  t.deepEqual(
    refused[0]?.buckets.map(({ name }) => name),
    ['address_ai', 'chat_completion', 'api_call']
  )
  for (const [i, id] of ids.entries()) {
    const granted = decisions.slice(2 * i, 2 * i + 2).filter(({ ok }) => ok).length
    const left = await gate.peek({ subject: user(id), buckets: ['chat_completion', 'api_call'] })
    t.deepEqual(
      left.map(({ remaining }) => remaining),
      [10 - granted, 150 - granted]
    )
  }
  t.true((await submit(ids[0] as string, '192.0.2.2')).ok)

  const written = await waitingDecisions(place.redis, place.prefix)
  t.is(written.length, 61)
  const blocked = written.filter(({ outcome }) => outcome === 'blocked')
  t.is(blocked.length, 40)
  t.deepEqual(
    blocked[0]?.limits.map(({ name, refused: by }) => [name, by]),
    [
      ['address_ai', true],
      ['chat_completion', false],
      ['api_call', false]
    ]
  )
})

test('what does not become an AI action takes nothing of its address, and leaves no hold behind', async (t) => {
  const place = await ownPrefix(t)
  const limits = { ...defaultLimits, bulk_create: { limitPerMinute: 1, burst: 2 } }
  const gate = gateFor({ ...place, limits, now: () => start })
  const id = newId()
  const address = { kind: 'address', address: '192.0.2.1' } as const
  const left = async () => (await gate.peek({ subject: address, buckets: ['address_ai'] }))[0]?.remaining
  const request = facts(id, { action: 'bulk_create', ip: '192.0.2.1' })

  const invalid = await gate.admit({ subject: user(id), request })
  gate.expectUpgrade(invalid)
  await gate.settle(invalid)
  gate.expectUpgrade(invalid) // over already
  t.is(await left(), 600)
  const replayed = await gate.admit({ subject: user(id), request })
  await gate.settle(replayed)
  t.is(await left(), 600)

  const submit = submitterOf(gate, 'bulk_create')
  const decisions = await Promise.all(Array.from({ length: 9 }, () => submit(id, '192.0.2.1')))
  t.deepEqual(
    decisions.flatMap(({ refusedBy }) => refusedBy),
    Array(7).fill('bulk_create')
  )
  t.is(await left(), 598)
  const stored = await place.redis.get(createGateKeys(place.prefix).bucket(address, 'address_ai'))
  t.regex(String(stored), /^\d+ \d+ 600 \d+ $/)
})

test('a connection that is gone already has an address like others, and the wait of a refusal is true', async (t) => {
  const place = await ownPrefix(t)
  const clock = { now: start }
  const limits = {
    ...defaultLimits,
    address_ai: { limitPerMinute: 30, burst: 0.1 },
    bulk_create: { limitPerMinute: 5, burst: 0.2 }
  }
  const gate = gateFor({ ...place, limits, now: () => clock.now })
  const submit = submitterOf(gate, 'bulk_create')
  const id = newId()
  t.true((await submit(id, '')).ok)
  t.true((await submit(newId(), '')).ok)
  t.true((await submit(newId(), '')).ok)
  const refused = await submit(id, '')
  t.deepEqual([refused.refusedBy, refused.retryAfterSeconds], [['address_ai'], 12]) // that of its own bucket is longer
  clock.now += 12 * second
  t.true((await submit(id, '')).ok)
})

test('an address has its own buckets, also for the token and register routes', async (t) => {
  const place = await ownPrefix(t)
  const gate = gateFor({ ...place, now: () => start })
  const ask = (address: string, bucket: 'address' | 'auth') =>
    gate.take({
      subject: { kind: 'address', address },
      buckets: [bucket],
      request: facts(null, { action: 'chat_completion' })
    })
  for (let i = 0; i < 30; i++) t.true((await ask('2001:db8::1', 'auth')).ok)
  const refused = await ask('2001:db8::ffff', 'auth')
  t.like(refused, { ok: false, action: 'api_call', retryAfterSeconds: 2 })
  t.true((await ask('2001:db8:0:1::1', 'auth')).ok)
  t.like((await ask('2001:db8::1', 'address')).buckets[0], { capacity: 60, remaining: 59 })
})

test('a clock that was set back neither grants nor starves', async (t) => {
  const place = await ownPrefix(t)
  const clock = { now: start }
  const gate = gateFor({ ...place, now: () => clock.now })
  const id = newId()
  const take = () => gate.take({ subject: user(id), buckets: ['bulk_create'], request: facts(id) })
  for (let i = 0; i < 5; i++) await take()
  clock.now -= 3_600 * second
  t.is((await take()).retryAfterSeconds, 12)
  clock.now += 12 * second
  t.true((await take()).ok)
  t.false((await take()).ok)
})

test('costs over one are taken whole, and one that is no number of tokens is refused', async (t) => {
  const place = await ownPrefix(t)
  const gate = gateFor({ ...place, now: () => start })
  const id = newId()
  const take = (cost: number) =>
    gate.take({ subject: user(id), buckets: ['chat_completion'], cost, request: facts(id) })
  t.is((await take(7)).buckets[0]?.remaining, 3)
  t.like(await take(4), { ok: false, retryAfterSeconds: 6 })
  t.true((await take(3)).ok)
  await t.throwsAsync(async () => take(0.5), { instanceOf: RangeError })
})

test('a level is kept to the unit', async (t) => {
  const place = await ownPrefix(t)
  const clock = { now: start }
  const gate = gateFor({
    ...place,
    now: () => clock.now,
    limits: { ...defaultLimits, api_call: { limitPerMinute: 7, burst: 1 } }
  })
  const id = newId()
  for (let i = 0; i < 7; i++) await gate.take({ subject: user(id), buckets: ['api_call'], request: facts(id) })
  const short = Math.floor(unitsPerToken / 7) // microseconds, one too few: 7 does not divide a token
  clock.now += short
  t.false((await gate.take({ subject: user(id), buckets: ['api_call'], request: facts(id) })).ok)
  clock.now += 1
  t.true((await gate.take({ subject: user(id), buckets: ['api_call'], request: facts(id) })).ok)
})

test('a limit of less than a token a minute is kept as well', async (t) => {
  const place = await ownPrefix(t)
  const clock = { now: start }
  const limits = { ...defaultLimits, bulk_create: { limitPerMinute: 0.3, burst: 1 } }
  const gate = gateFor({ ...place, now: () => clock.now, limits })
  const id = newId()
  const take = () => gate.take({ subject: user(id), buckets: ['bulk_create'], request: facts(id) })
  t.like((await take()).buckets[0], { capacity: 1, remaining: 0, resetSeconds: 200, windowSeconds: 200 })
  clock.now += 199 * second
  t.is((await take()).retryAfterSeconds, 1)
  clock.now += second
  t.true((await take()).ok)
})

test('a Redis Cluster finds every key of a call in one slot', async (t) => {
  const bus = ['--cluster-port', String(await freePort()), '--cluster-announce-ip', '127.0.0.1']
  const server = await privateRedis(t, '--cluster-enabled', 'yes', ...bus)
  const node = await connected(t, server.url)
  await node.cluster('ADDSLOTS', ...Array.from({ length: 16_384 }, (_, slot) => slot))
  await eventually('the cluster is ready', async () => String(await node.cluster('INFO')).includes('cluster_state:ok'))
  const { hostname, port } = new URL(server.url)
  const redis = new Cluster([{ host: hostname, port: Number(port) }], { redisOptions: gateRedisOptions })
  t.teardown(() => redis.disconnect())
  await eventually('the client is ready', () => redis.status === 'ready')

  const gate = gateFor({ redis, prefix: 'cluster' })
  await gate.start()
  t.teardown(() => gate.close())
  const stored: string[] = []
  const onBatch = async (batch: { id: string }[]) => void stored.push(...batch.map(({ id }) => id))
  const reader = createDecisionReader({
    redis,
    prefix: 'cluster',
    log: quiet,
    idleMs: 20,
    onBatch,
    setAside: async () => {}
  })
  t.teardown(() => reader.stop())
  reader.start()
  const ids = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const id = newId()
      const request = facts(id, { action: 'rag_search' })
      const decision = await gate.upgrade(await gate.admit({ subject: user(id), request }))
      t.like(decision, { ok: true, outcome: 'allowed' })
      await gate.reset({ subject: user(id) })
      return decision.id
    })
  )
  await eventually('all are stored', () => stored.length === 50)
  t.is(new Set(stored).size, 50)
  t.true(ids.every((id) => stored.includes(id)))
})
