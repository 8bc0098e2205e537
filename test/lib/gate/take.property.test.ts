import test from 'ava'
import fc from 'fast-check'
import { parseList } from 'structured-headers'
import { v7 as newId } from 'uuid'
import { unitsPerToken } from '../../../lib/gate/bucket.ts'
import type { Decision } from '../../../lib/gate/decision.ts'
import { rateLimitHeaders } from '../../../lib/gate/headers.ts'
import { type BucketLimit, bucketCapacity, defaultLimits, type GateLimits } from '../../../lib/gate/limits.ts'
import { facts, gateFor, ownPrefix, user } from '../../helpers/gate.ts'

/**
 * Schedules no test could wait for: the clock is an argument of the script, the script is the one in use.
 * Every schedule has its own user and its own clock; several run at once, so that Redis is asked in parallel.
 */
const schedulesAtOnce = 6
const seed = 20_260_724

const limit = fc.record({
  limitPerMinute: fc.integer({ min: 1, max: 400 }),
  burst: fc.constantFrom(0.1, 0.5, 1, 1.1, 1.5, 3)
})
const limits = fc.record({ api_call: limit, chat_completion: limit })
/** Microseconds between steps: none, next to none, and up to many fillings. */
const gap = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 1_000 }),
  fc.integer({ min: 1, max: 3_000_000 }),
  fc.integer({ min: 1, max: 200_000_000 })
)
const step = fc.record({
  gap,
  parallel: fc.integer({ min: 1, max: 6 }),
  what: fc.constantFrom('api', 'ai', 'admit', 'finish', 'finish', 'abandon')
})

type Own = { api_call: BucketLimit; chat_completion: BucketLimit }

/** What a bucket let through, in the order of time; says whether any interval had more than it may. */
function createWitness(bucketLimit: BucketLimit) {
  const granted: { at: number; count: number }[] = []
  return {
    granted,
    /** The largest, over all intervals that end at a grant, of "tokens granted less tokens refilled", in units. */
    most() {
      let most = 0
      let owed = 0
      let before = 0
      for (const { at, count } of granted.toSorted((a, b) => a.at - b.at)) {
        owed = Math.max(0, owed - (at - before) * bucketLimit.limitPerMinute) + count * unitsPerToken
        before = at
        most = Math.max(most, owed)
      }
      return most
    },
    allowed: () => bucketCapacity(bucketLimit) * unitsPerToken
  }
}

async function everySchedule<T>(runs: number, arbitrary: fc.Arbitrary<T>, play: (schedule: T) => Promise<void>) {
  const part = Math.ceil(runs / schedulesAtOnce)
  await Promise.all(
    Array.from({ length: schedulesAtOnce }, (_, i) =>
      fc.assert(fc.asyncProperty(arbitrary, play), { numRuns: part, seed: seed + i, endOnFailure: true })
    )
  )
}

function clockedGate(own: Own, place: { redis: Parameters<typeof gateFor>[0]['redis']; prefix: string }) {
  const clock = { now: 1_800_000_000_000_000 }
  const all: GateLimits = { ...defaultLimits, ...own }
  const gate = gateFor({ ...place, limits: all, now: () => clock.now })
  return { gate, clock }
}

test('no interval of any schedule admits more than capacity and refill, and tokens go together or not at all', async (t) => {
  const place = await ownPrefix(t)
  let steps = 0

  await everySchedule(126, fc.tuple(limits, fc.array(step, { minLength: 60, maxLength: 60 })), async ([own, plan]) => {
    const { gate, clock } = clockedGate(own, place)
    const id = newId()
    const subject = user(id)
    const plain = facts(id)
    const ai = facts(id, { action: 'chat_completion' })
    const witness = { api: createWitness(own.api_call), chat: createWitness(own.chat_completion) }
    let open: Decision[] = []

    async function left() {
      const [api, chat] = await gate.peek({ subject, buckets: ['api_call', 'chat_completion'] })
      return { api: api?.remaining ?? 0, chat: chat?.remaining ?? 0 }
    }

    for (const { gap: pause, parallel, what } of plan) {
      clock.now += pause
      const at = clock.now
      const before = await left()
      const many = Array.from({ length: parallel })
      let [api, chat, old] = [0, 0, 0]

      if (what === 'api' || what === 'ai') {
        const buckets = what === 'api' ? (['api_call'] as const) : (['chat_completion', 'api_call'] as const)
        const decisions = await Promise.all(
          many.map(() => gate.take({ subject, buckets: [...buckets], request: plain }))
        )
        api = decisions.filter(({ ok }) => ok).length
        chat = what === 'ai' ? api : 0
      } else if (what === 'admit') {
        const decisions = await Promise.all(many.map(() => gate.admit({ subject, request: ai })))
        const admitted = decisions.filter(({ ok }) => ok)
        api = admitted.length
        open.push(...admitted)
      } else {
        const ending = what === 'abandon' ? [] : open.slice(0, parallel)
        open = open.slice(parallel)
        const ends = await Promise.all(
          ending.map((decision, i) => (i % 3 === 2 ? gate.settle(decision) : gate.upgrade(decision)))
        )
        chat = ends.filter(({ ok, action }) => ok && action === 'chat_completion').length
        for (const { ok, at: admittedAt } of ends) {
          if (ok) continue
          old += 1
          const grant = witness.api.granted.find(
            (one) => Math.floor(one.at / 1_000) === admittedAt.getTime() && one.count > 0
          )
          if (grant) grant.count -= 1
        }
      }
      steps += parallel + 1
      if (api > 0) witness.api.granted.push({ at, count: api })
      if (chat > 0) witness.chat.granted.push({ at, count: chat })

      const after = await left()
      if (after.chat !== before.chat - chat) throw new Error(`${before.chat} - ${chat} chat tokens left ${after.chat}`)
      if (after.api < before.api - api || after.api > before.api - api + old) {
        throw new Error(`${before.api} - ${api} + at most ${old} api tokens left ${after.api}`)
      }
    }
    for (const one of [witness.api, witness.chat]) {
      if (one.most() > one.allowed())
        throw new Error(`granted ${one.most()} units in an interval that allows ${one.allowed()}`)
    }
  })
  t.log(`${steps} steps`)
  t.true(steps > 26_000)
})

test('the bucket of an address gives to whole submissions only, and everything is given back otherwise', async (t) => {
  const place = await ownPrefix(t)
  let steps = 0
  const limitsOfAll = fc.record({ api_call: limit, chat_completion: limit, address_ai: limit })
  const plan = fc.array(
    fc.record({
      gap,
      who: fc.integer({ min: 0, max: 2 }),
      parallel: fc.integer({ min: 1, max: 5 }),
      ahead: fc.boolean(),
      end: fc.constantFrom('upgrade', 'upgrade', 'upgrade', 'settle')
    }),
    { minLength: 30, maxLength: 30 }
  )

  await everySchedule(102, fc.tuple(limitsOfAll, plan), async ([own, requests]) => {
    const clock = { now: 1_800_000_000_000_000 }
    const gate = gateFor({ ...place, limits: { ...defaultLimits, ...own }, now: () => clock.now })
    const people = [newId(), newId(), newId()]
    const ip = newId() // no address at all is a group of its own
    const address = { kind: 'address', address: ip } as const
    const witness = createWitness(own.address_ai)

    async function left(id: string) {
      const [[shared], [api, chat]] = await Promise.all([
        gate.peek({ subject: address, buckets: ['address_ai'] }),
        gate.peek({ subject: user(id), buckets: ['api_call', 'chat_completion'] })
      ])
      return [shared, api, chat].map((bucket) => bucket?.remaining ?? 0) as [number, number, number]
    }

    for (const { gap: pause, who, parallel, ahead, end } of requests) {
      clock.now += pause
      const id = people[who] as string
      const before = await left(id)
      const request = facts(id, { action: 'chat_completion', ip })
      const decisions = await Promise.all(
        Array.from({ length: parallel }, async () => {
          const admission = await gate.admit({ subject: user(id), request })
          if (!admission.ok) return admission
          if (ahead) gate.expectUpgrade(admission)
          return end === 'upgrade' ? await gate.upgrade(admission) : await gate.settle(admission)
        })
      )
      steps += parallel
      const chats = decisions.filter(({ ok, action }) => ok && action === 'chat_completion').length
      const calls = decisions.filter(({ ok }) => ok).length
      const after = await left(id)
      const expected = [before[0] - chats, before[1] - calls, before[2] - chats]
      if (after.join() !== expected.join())
        throw new Error(`${before.join()} became ${after.join()}, not ${expected.join()}`)
      for (const { refusedBy, ok } of decisions) {
        if (!ok && refusedBy.includes('address_ai') && refusedBy.length > 1) throw new Error(refusedBy.join())
      }
      if (chats > 0) witness.granted.push({ at: clock.now, count: chats })
    }
    if (witness.most() > witness.allowed()) throw new Error(`${witness.most()} units of ${witness.allowed()}`)
  })
  t.log(`${steps} submissions`)
  t.true(steps > 5_000)
})

test('waiting exactly Retry-After succeeds for the only client, whatever it did before', async (t) => {
  const place = await ownPrefix(t)
  let steps = 0
  const plan = fc.array(fc.record({ gap, ai: fc.boolean() }), { minLength: 30, maxLength: 30 })

  await everySchedule(150, fc.tuple(limits, plan), async ([own, requests]) => {
    const { gate, clock } = clockedGate(own, place)
    const id = newId()
    const submit = async (ai: boolean) => {
      steps += 1
      const request = facts(id, { action: ai ? 'chat_completion' : 'api_call' })
      if (!ai) return gate.take({ subject: user(id), buckets: ['api_call'], request })
      const admission = await gate.admit({ subject: user(id), request })
      return admission.ok ? gate.upgrade(admission) : admission
    }
    for (const { gap: pause, ai } of requests) {
      clock.now += pause % 1_000_000
      const first = await submit(ai)
      if (first.ok) continue
      const scarcest = Math.max(
        ...first.buckets.filter(({ name }) => first.refusedBy.includes(name)).map((b) => b.resetSeconds)
      )
      if (first.retryAfterSeconds < scarcest)
        throw new Error(`Retry-After ${first.retryAfterSeconds} is below t=${scarcest}`)
      clock.now += first.retryAfterSeconds * 1_000_000
      const second = await submit(ai)
      if (!second.ok) throw new Error(`refused after ${first.retryAfterSeconds} s by ${second.refusedBy.join()}`)
    }
  })
  t.log(`${steps} steps`)
  t.true(steps > 5_000)
})

test('a client that obeys r and t never meets a refusal, and every field is read by an RFC 9651 parser', async (t) => {
  const place = await ownPrefix(t)
  let steps = 0
  const plan = fc.array(fc.record({ gap, ai: fc.boolean() }), { minLength: 40, maxLength: 40 })

  await everySchedule(150, fc.tuple(limits, plan), async ([own, requests]) => {
    const { gate, clock } = clockedGate(own, place)
    const id = newId()
    let told = new Map<string, { r: number; t: number; at: number }>()
    for (const { gap: pause, ai } of requests) {
      clock.now += pause % 400_000
      const needs = ai ? ['chat_completion', 'api_call'] : ['api_call']
      for (const name of needs) {
        const seen = told.get(name)
        if (seen && seen.r < 1) clock.now = Math.max(clock.now, seen.at + seen.t * 1_000_000)
      }
      const buckets = ai ? (['chat_completion', 'api_call'] as const) : (['api_call'] as const)
      const decision = await gate.take({ subject: user(id), buckets: [...buckets], request: facts(id) })
      steps += 1
      if (!decision.ok) throw new Error(`refused by ${decision.refusedBy.join()}`)
      told = new Map([...told, ...readFields(rateLimitHeaders(decision), clock.now)])
    }
  })
  t.log(`${steps} steps`)
  t.true(steps >= 6_000)
})

/** As a client would read them: with a parser that knows nothing of ours. */
function readFields(headers: Record<string, string>, at: number) {
  const policies = parseList(headers['RateLimit-Policy'] ?? '')
  const states = parseList(headers.RateLimit ?? '')
  if (policies.length !== states.length) throw new Error('a policy without its state')
  return states.map(([name, parameters], i) => {
    const policy = policies[i]?.[1]
    const [q, w] = [policy?.get('q'), policy?.get('w')]
    const [r, t] = [parameters.get('r'), parameters.get('t')]
    if (![q, w, r, t].every((value) => Number.isInteger(value) && Number(value) >= 0))
      throw new Error(String([q, w, r, t]))
    if (Number(r) > Number(q)) throw new Error(`${r} tokens left of ${q}`)
    return [String(name), { r: Number(r), t: Number(t), at }] as const
  })
}
