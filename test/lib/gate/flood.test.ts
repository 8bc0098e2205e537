import { setTimeout as delay } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { v7 as newId } from 'uuid'
import { type DecisionRecord, decisionToKeep } from '../../../lib/gate/decision.ts'
import { createDecisionReader, type DecisionReaderOptions } from '../../../lib/gate/decision-reader.ts'
import type { BufferedDecision } from '../../../lib/gate/decision-buffer.ts'
import type { Gate } from '../../../lib/gate/gate.ts'
import { createGateKeys } from '../../../lib/gate/keys.ts'
import { defaultLimits } from '../../../lib/gate/limits.ts'
import { createRefusalTally } from '../../../lib/gate/refusal-tally.ts'
import {
  connected,
  eventually,
  facts,
  gateFor,
  ownPrefix as sharedPrefix,
  privateRedis,
  quiet,
  user,
  waitingDecisions
} from '../../helpers/gate.ts'

type Place = Awaited<ReturnType<typeof ownPrefix>>

/** With a client that never gives up: on a machine that is busy enough the gate's own would, and decide alone. */
async function ownPrefix(t: ExecutionContext) {
  const place = await sharedPrefix(t)
  const redis = new Redis(place.url)
  t.teardown(() => redis.disconnect())
  return { ...place, redis }
}

const patient = { timeoutMs: 60_000 }

const start = 1_800_000_000_000_000
const minute = 60_000_000

/** Rows by id, as the table of audits keeps them. */
function createTable() {
  const rows = new Map<string, DecisionRecord>()
  return {
    rows,
    requests: (outcome?: string) =>
      [...rows.values()]
        .filter((row) => outcome === undefined || row.outcome === outcome)
        .reduce((sum, { repeats }) => sum + 1 + repeats, 0),
    async onBatch(batch: DecisionRecord[]) {
      for (const row of batch) {
        const known = rows.get(row.id)
        rows.set(row.id, known ? decisionToKeep([known, row]) : row)
      }
    }
  }
}

function readerFor(
  t: ExecutionContext,
  place: Pick<Place, 'redis' | 'prefix'>,
  options: Partial<DecisionReaderOptions>
) {
  const reader = createDecisionReader({
    ...place,
    log: quiet,
    idleMs: 20,
    onBatch: async () => {},
    setAside: async () => {},
    ...options
  })
  t.teardown(() => reader.stop())
  reader.start()
  return reader
}

/** A flood may take its time on a busy machine. */
const soon = (name: string, condition: () => boolean | Promise<boolean>) => eventually(name, condition, 60_000)

async function inParts<T>(count: number, work: (n: number) => Promise<T>, part = 100): Promise<T[]> {
  const done: T[] = []
  for (let n = 0; n < count; n += part) {
    done.push(...(await Promise.all(Array.from({ length: Math.min(part, count - n) }, (_, i) => work(n + i)))))
  }
  return done
}

const chat = (gate: Gate, id: string) =>
  gate.take({
    subject: user(id),
    buckets: ['chat_completion', 'api_call'],
    request: facts(id, { action: 'chat_completion' })
  })

async function keysOf(place: Place): Promise<string[]> {
  const keys = createGateKeys(place.prefix)
  const waiting = await Promise.all(
    keys.shards.flatMap((shard) => keys.repeats(shard)).map((key) => place.redis.hlen(key))
  )
  return waiting.flatMap((length, index) => (length > 0 ? [`${index}: ${length}`] : []))
}

test.serial(
  'of 5,000 refused requests in a minute sixty have a row of their own, one stands for the rest, and none is lost',
  async (t) => {
    const place = await ownPrefix(t)
    const gates = [
      gateFor({ ...place, ...patient, now: () => start }),
      gateFor({ ...place, ...patient, now: () => start })
    ]
    const id = newId()
    const table = createTable()
    // Two readers at once, one of which says twice over what it was given.
    readerFor(t, place, { onBatch: table.onBatch })
    readerFor(t, place, {
      async onBatch(batch) {
        await delay(Math.random() * 30)
        for (let n = 0; n < 2; n++) await table.onBatch(batch)
      }
    })
    const decisions = await inParts(5_010, (n) => chat(gates[n % 2] as Gate, id))
    t.is(decisions.filter(({ ok }) => !ok).length, 5_000)
    await soon('all are counted', () => table.requests('blocked') === 5_000)
    await soon('Redis keeps none', async () => (await keysOf(place)).length === 0)
    t.is(table.requests('blocked'), 5_000)
    t.is(table.requests('allowed'), 10)
    const rows = [...table.rows.values()].filter(({ outcome }) => outcome === 'blocked')
    t.is(rows.length, 61)
    t.is(rows.filter(({ repeats }) => repeats > 0).length, 1)
    t.true(rows.every(({ userId, action }) => userId === id && action === 'chat_completion'))
  }
)

test.serial('a flood leaves Redis as it is, and each subject, action and minute has its own sixty', async (t) => {
  const place = await ownPrefix(t)
  const clock = { now: start }
  const gate = gateFor({ ...place, ...patient, now: () => clock.now })
  const [one, other] = [newId(), newId()]
  const search = (id: string) =>
    gate.take({ subject: user(id), buckets: ['rag_search'], request: facts(id, { action: 'rag_search' }) })
  const stranger = (address: string, bucket: 'address' | 'auth') =>
    gate.take({ subject: { kind: 'address', address }, buckets: [bucket], request: facts(null) })
  await inParts(400, () => chat(gate, one)) // 390 are refused
  await inParts(475, () => search(one)) // 400
  await inParts(70, () => chat(gate, other)) // 60
  await inParts(500, (n) => stranger('192.0.2.1', n % 2 ? 'address' : 'auth')) // 190 and 220, of one address
  const inRedis = async () => (await waitingDecisions(place.redis, place.prefix)).filter((d) => d.outcome === 'blocked')
  t.is((await inRedis()).length, 240)
  clock.now += minute
  await inParts(200, () => chat(gate, one)) // 190
  t.is((await inRedis()).length, 300)

  const table = createTable()
  readerFor(t, place, { onBatch: table.onBatch })
  await soon('all are counted', () => table.requests('blocked') === 390 + 400 + 60 + 410 + 190)
  const counts = [...table.rows.values()].filter(({ repeats }) => repeats > 0)
  t.deepEqual(
    counts
      .map(({ action, userId, repeats }) => `${userId === null ? 'stranger' : action} ${repeats}`)
      .toSorted((a, b) => a.localeCompare(b)),
    ['chat_completion 129', 'chat_completion 329', 'rag_search 339', 'stranger 349']
  )
  t.is(
    counts
      .find(({ userId }) => userId === null)
      ?.limits.find(({ refused }) => refused)
      ?.name.startsWith('a'),
    true
  )
})

test.serial(
  'refusals of every kind are counted together: by a bucket of the user, of the address, or a budget',
  async (t) => {
    const place = await ownPrefix(t)
    const limits = {
      ...defaultLimits,
      api_call: { limitPerMinute: 1_000, burst: 1 },
      rag_search: { limitPerMinute: 300, burst: 1 },
      address_ai: { limitPerMinute: 250, burst: 1 }
    }
    const gate = gateFor({ ...place, ...patient, limits, now: () => start })
    const id = newId()
    const submit = async (ip: string, refuse: boolean) => {
      const admission = await gate.admit({ subject: user(id), request: facts(id, { action: 'rag_search', ip }) })
      const decision = await gate.upgrade(admission)
      if (decision.ok && refuse) await gate.refuse(decision, ['budget'])
      return decision
    }
    await inParts(150, () => submit('192.0.2.1', true), 50) // refused by the budget
    await inParts(300, () => submit('192.0.2.1', false), 50) // a hundred let in, two hundred refused by the address
    await inParts(100, () => submit('192.0.2.2', false), 50) // fifty let in, fifty refused by the action's bucket
    const waiting = await waitingDecisions(place.redis, place.prefix)
    t.is(waiting.filter(({ outcome }) => outcome === 'blocked').length, 60)
    t.deepEqual(
      new Set(waiting.flatMap(({ limits: found }) => found.filter(({ refused }) => refused).map(({ name }) => name))),
      new Set(['budget'])
    )

    const table = createTable()
    readerFor(t, place, { onBatch: table.onBatch })
    await soon('all are counted', () => table.requests('blocked') === 400 && table.requests('allowed') === 150)
    t.is(table.rows.size, 150 + 61)
  }
)

test.serial('a request that is refused after a reader has it is one row all the same', async (t) => {
  const place = await ownPrefix(t)
  const limits = { ...defaultLimits, api_call: { limitPerMinute: 1_000, burst: 1 } }
  const gate = gateFor({ ...place, ...patient, limits, now: () => start })
  const id = newId()
  const table = createTable()
  const reader = readerFor(t, place, { onBatch: table.onBatch })
  const taken = await inParts(200, () => gate.take({ subject: user(id), buckets: ['api_call'], request: facts(id) }))
  await soon('all have a row', () => table.requests('allowed') === 200)
  await reader.stop()
  const later = await inParts(100, () => gate.take({ subject: user(id), buckets: ['api_call'], request: facts(id) }))
  await Promise.all([...taken, ...later].map((decision) => gate.refuse(decision, ['budget'])))
  readerFor(t, place, { onBatch: table.onBatch })
  await soon('all are refused', () => table.requests('blocked') === 300)
  t.is(table.requests('allowed'), 0)
})

test.serial(
  'a reader that dies between a row and its settlement, and a store that fails, count nothing twice',
  async (t) => {
    const place = await ownPrefix(t)
    const gate = gateFor({ ...place, ...patient, now: () => start })
    const id = newId()
    const table = createTable()
    let failures = 0
    readerFor(t, place, {
      claimAfterMs: 200,
      async onBatch(batch) {
        if (Math.random() < 0.5) await table.onBatch(batch) // committed, and then the connection was lost
        if (failures++ < 8) throw new Error('lost')
        await table.onBatch(batch)
      }
    })
    for (let n = 0; n < 10; n++) {
      await inParts(100, () => chat(gate, id))
      await delay(20)
    }
    await soon('all are counted', () => table.requests() === 1_000)
    await soon('Redis keeps none', async () => (await keysOf(place)).length === 0)
    t.is(table.requests('blocked'), 990)
    t.true(table.rows.size <= 71)
  }
)

test.serial(
  'what a process refuses alone is counted as well, in memory, in the table, and in Redis when it is back',
  async (t) => {
    for (const direct of [true, false]) {
      const server = await privateRedis(t)
      const redis = await connected(t, server.url)
      const table = createTable()
      const place = { redis, prefix: 'alone' }
      const gate = gateFor({
        ...place,
        timeoutMs: 35,
        ...(direct ? { recordDirectly: table.onBatch } : { bufferSize: 200 })
      })
      await gate.start()
      t.teardown(() => gate.close())
      const id = newId()
      await server.kill()
      const begun = Date.now()
      const decisions = await inParts(3_000, () => chat(gate, id))
      t.true(decisions.every(({ degraded }) => degraded))
      const minutes = Math.floor(Date.now() / 60_000) - Math.floor(begun / 60_000) + 1
      if (!direct) {
        await server.start()
        readerFor(t, place, { onBatch: table.onBatch })
      }
      await soon('all are counted', () => table.requests() === 3_000)
      t.is(table.requests('degraded'), 3_000)
      const refused = decisions.filter(({ ok }) => !ok).length
      t.true(table.rows.size <= 3_000 - refused + 61 * minutes, `${table.rows.size} rows`)
    }
  }
)

test.serial('refusals that Redis counted after they had been given up are not counted a second time', async (t) => {
  const server = await privateRedis(t)
  const redis = await connected(t, server.url)
  const place = { redis, prefix: 'late' }
  const gate = gateFor({ ...place, timeoutMs: 35 })
  await gate.start()
  t.teardown(() => gate.close())
  const id = newId()
  await inParts(200, () => chat(gate, id))
  server.freeze()
  await inParts(300, () => chat(gate, id), 300) // on their way, and decided here
  server.thaw()
  await eventually('Redis decides again', () => !gate.isDegraded())
  const table = createTable()
  readerFor(t, place, { onBatch: table.onBatch })
  await soon('all are counted', () => table.requests() >= 500)
  await delay(1_500) // longer than a count may wait
  t.is(table.requests(), 500)
})

test.serial('a process remembers a bounded number of floods', (t) => {
  const tally = createRefusalTally(10)
  const refusal = (n: number): BufferedDecision => ({
    shard: 0,
    trace: { admitted: '', decided: '' },
    record: {
      ...facts(null),
      id: `${n}`,
      at: n * 60_000,
      outcome: 'degraded',
      limits: [],
      repeats: 0
    }
  })
  for (let n = 0; n < 1_000; n++) t.is(tally.add(refusal(n), 'somebody', 1).record.repeats, 0)
  let last = 0
  for (let n = 0; n < 100; n++) last = tally.add(refusal(5_000), 'somebody', 4).record.repeats
  t.is(last, 100 - 15 - 1)
})
