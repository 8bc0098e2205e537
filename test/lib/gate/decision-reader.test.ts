import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { v7 as newId } from 'uuid'
import type { DecisionRecord } from '../../../lib/gate/decision.ts'
import { createDecisionReader, type DecisionReaderOptions } from '../../../lib/gate/decision-reader.ts'
import { createGateKeys } from '../../../lib/gate/keys.ts'
import { readerRedisOptions } from '../../../lib/gate/redis-options.ts'
import { connected, eventually, facts, gateFor, ownPrefix, privateRedis, quiet, user } from '../../helpers/gate.ts'

type Place = { redis: Redis; prefix: string }

/** Keeps rows by id, as the audit table does, and counts what it was handed. */
function createTable() {
  const rows = new Map<string, DecisionRecord>()
  const table = {
    rows,
    handed: 0,
    largest: 0,
    onBatch: async (batch: DecisionRecord[]) => {
      table.handed += batch.length
      table.largest = Math.max(table.largest, batch.length)
      for (const row of batch) if (!rows.has(row.id) || row.outcome === 'degraded') rows.set(row.id, row)
    }
  }
  return table
}

function readerFor(t: ExecutionContext, place: Place, options: Partial<DecisionReaderOptions>) {
  const reader = createDecisionReader({
    ...place,
    log: quiet,
    idleMs: 20,
    claimAfterMs: 300,
    onBatch: async () => {},
    setAside: async () => {},
    ...options
  })
  t.teardown(() => reader.stop())
  return reader
}

/** @returns the ids of so many decisions, of as many users */
async function decide(place: Place, count: number): Promise<string[]> {
  const gate = gateFor(place)
  const decisions = await Promise.all(
    Array.from({ length: count }, () => {
      const id = newId()
      return gate.take({ subject: user(id), buckets: ['api_call'], request: facts(id) })
    })
  )
  return decisions.map(({ id }) => id)
}

async function isEmpty(place: Place): Promise<boolean> {
  const keys = createGateKeys(place.prefix)
  const lengths = await Promise.all(keys.shards.map((shard) => place.redis.xlen(keys.decisions(shard))))
  return lengths.every((length) => length === 0)
}

test('a minute of 20,000 decisions is stored in batches of at most 500, and nothing of it stays in Redis', async (t) => {
  const place = await ownPrefix(t)
  const table = createTable()
  const reader = readerFor(t, place, { onBatch: table.onBatch })
  reader.start()
  const before = process.memoryUsage().heapUsed
  const ids: string[] = []
  for (let i = 0; i < 20; i++) ids.push(...(await decide(place, 1_000)))
  await eventually('all are stored', () => table.rows.size === ids.length)
  await eventually('Redis keeps none', () => isEmpty(place))
  t.true(ids.every((id) => table.rows.has(id)))
  t.true(table.largest <= 500, `${table.largest} in a batch`)
  t.deepEqual(await reader.lengths(), { decisions: 0, admitted: 0 })
  t.log(`${Math.round((process.memoryUsage().heapUsed - before) / 1e6)} MB for the table of this test`)
})

test('several readers share the decisions, and what one that hangs was given goes to another', async (t) => {
  const place = await ownPrefix(t)
  const table = createTable()
  let release = () => {}
  const hanging = readerFor(t, place, { onBatch: () => new Promise((resolve) => (release = resolve)) })
  hanging.start()
  const ids = await decide(place, 300)
  const keys = createGateKeys(place.prefix)
  await eventually('the first reader has some', async () => {
    const pending = await Promise.all(
      keys.shards.map((shard) => place.redis.xpending(keys.decisions(shard), 'audit').catch(() => [0]))
    )
    return pending.some(([count]) => Number(count) > 0)
  })

  const others = [readerFor(t, place, { onBatch: table.onBatch }), readerFor(t, place, { onBatch: table.onBatch })]
  for (const reader of others) reader.start()
  await eventually('all are stored by the others', () => table.rows.size === 300)
  await eventually('Redis keeps none', () => isEmpty(place))
  t.true(ids.every((id) => table.rows.has(id)))
  release()
})

test('a store that is away for a while loses nothing and gets each decision once it is back', async (t) => {
  const place = await ownPrefix(t)
  const table = createTable()
  let away = true
  let refused = 0
  const reader = readerFor(t, place, {
    async onBatch(batch) {
      if (away) {
        refused += 1
        throw new Error('no connection')
      }
      await table.onBatch(batch)
    }
  })
  reader.start()
  const ids = await decide(place, 700)
  await eventually('it was tried more than once', () => refused > 20)
  t.is(table.rows.size, 0)
  away = false
  await eventually('all are stored', () => table.rows.size === ids.length)
  await eventually('Redis keeps none', () => isEmpty(place))
  t.is(table.handed, 700)
})

test('a decision that can never be stored is put aside at once, and holds up no other', async (t) => {
  const place = await ownPrefix(t)
  const table = createTable()
  const [bad = ''] = await decide(place, 1)
  const aside: { key: string; payload: unknown; error: unknown }[] = []
  let attempts = 0
  const reader = readerFor(t, place, {
    async onBatch(batch) {
      attempts += 1
      if (batch.some(({ id }) => id === bad)) throw new Error('this one is not wanted')
      await table.onBatch(batch)
    },
    async setAside(letter) {
      aside.push(letter)
    }
  })
  const ids = await decide(place, 40)
  reader.start()
  await eventually('the others are stored', () => table.rows.size === ids.length)
  await eventually('the bad one is put aside', async () => {
    await decide(place, 2) // what shows that it is not the store
    return aside.length === 1
  })
  await eventually('Redis keeps none', () => isEmpty(place))
  t.false(table.rows.has(bad))
  t.like(aside, [{ key: bad, payload: { decision: { id: bad } } }])
  t.true(attempts < 60, `${attempts} attempts`)
})

test('what the database refuses is put aside also when nothing else comes', async (t) => {
  const place = await ownPrefix(t)
  const [bad] = await decide(place, 1)
  const aside: string[] = []
  readerFor(t, place, {
    async onBatch() {
      throw Object.assign(new Error('refused'), { code: '22P05' })
    },
    async setAside({ key }) {
      aside.push(key)
    }
  }).start()
  await eventually('it is put aside', () => aside.length > 0)
  await eventually('Redis keeps none', () => isEmpty(place))
  t.deepEqual(aside, [bad])
})

test('an entry that is no decision is put aside', async (t) => {
  const place = await ownPrefix(t)
  const keys = createGateKeys(place.prefix)
  await place.redis.xadd(keys.decisions(0), '*', 'facts', '{"id":')
  const table = createTable()
  const aside: unknown[] = []
  readerFor(t, place, {
    onBatch: table.onBatch,
    async setAside({ payload }) {
      aside.push(payload)
    }
  }).start()
  const [id = ''] = await decide(place, 1)
  await eventually('the decision is stored', () => table.rows.has(id))
  await eventually('Redis keeps none', () => isEmpty(place))
  t.deepEqual(aside, [{ fields: ['facts', '{"id":'] }])
})

test('an admission whose process died becomes a decision', async (t) => {
  const place = await ownPrefix(t)
  const gate = gateFor(place)
  const id = newId()
  const admission = await gate.admit({ subject: user(id), request: facts(id, { action: 'chat_completion' }) })
  const table = createTable()
  const reader = readerFor(t, place, { onBatch: table.onBatch, admittedForMs: 50 })
  t.deepEqual(await reader.lengths(), { decisions: 0, admitted: 1 })
  reader.start()
  await eventually('it is stored', () => table.rows.has(admission.id))
  t.like(table.rows.get(admission.id), {
    action: 'api_call',
    outcome: 'allowed',
    at: admission.at.getTime(),
    userId: id
  })
})

test('two deliveries of a decision are one row, the one its client was told', async (t) => {
  const place = await ownPrefix(t)
  const [id = ''] = await decide(place, 1)
  const keys = createGateKeys(place.prefix)
  for (const shard of keys.shards) {
    for (const [, fields] of await place.redis.xrange(keys.decisions(shard), '-', '+')) {
      await place.redis.xadd(
        keys.decisions(shard),
        '*',
        ...fields.map((field) => (field === 'allowed' ? 'degraded' : field))
      )
    }
  }
  const table = createTable()
  readerFor(t, place, { onBatch: table.onBatch }).start()
  await eventually('it is stored', () => table.rows.has(id))
  await eventually('Redis keeps none', () => isEmpty(place))
  t.is(table.handed, 1)
  t.is(table.rows.get(id)?.outcome, 'degraded')
})

test('a Redis that was emptied is read on', async (t) => {
  const server = await privateRedis(t)
  const place = { redis: await connected(t, server.url), prefix: 'emptied' }
  const table = createTable()
  readerFor(t, place, { onBatch: table.onBatch }).start()
  const first = await decide(place, 20)
  await eventually('the first are stored', () => table.rows.size === 20)
  await place.redis.flushall()
  const second = await decide(place, 20)
  await eventually('the second are stored', () => table.rows.size === 40)
  await server.kill()
  await server.start()
  await eventually('the client is back', () => place.redis.status === 'ready')
  const third = await decide(place, 20)
  await eventually('the third are stored', () => table.rows.size === 60)
  t.true([...first, ...second, ...third].every((id) => table.rows.has(id)))
})

test('killing the reading process at any moment loses and doubles no decision', async (t) => {
  const place = await ownPrefix(t)
  const rows = `${place.prefix}:rows`
  const program = `
    const [, url, prefix, rows, module] = process.argv
    const { createDecisionReader } = await import(module)
    const { Redis } = await import('ioredis')
    const redis = new Redis(url)
    const log = { info() {}, warn() {}, error() {} }
    const onBatch = async (batch) => {
      for (const { id } of batch) await redis.hincrby(rows, id, 1)
    }
    createDecisionReader({ redis, prefix, onBatch, setAside: async () => {}, log, idleMs: 5, claimAfterMs: 200 }).start()`
  const module = fileURLToPath(new URL('../../../lib/gate/decision-reader.ts', import.meta.url))
  const url = (await ownPrefix(t)).url
  const startReader = () =>
    spawn(process.execPath, ['--input-type=module', '-e', program, url, place.prefix, rows, module], {
      stdio: 'ignore'
    })

  const ids: string[] = []
  for (const share of [0.1, 0.4, 0.8]) {
    ids.push(...(await decide(place, 400)))
    const goal = ids.length - 400 * (1 - share)
    const child = startReader()
    await eventually('the reader has stored a part', async () => (await place.redis.hlen(rows)) >= goal)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const last = startReader()
  t.teardown(() => last.kill('SIGKILL'))
  await eventually('all are stored', async () => (await place.redis.hlen(rows)) === ids.length)
  await eventually('Redis keeps none', () => isEmpty(place))
  const stored = await place.redis.hgetall(rows)
  t.true(ids.every((id) => Number(stored[id]) >= 1))
  const again = Object.values(stored).filter((count) => Number(count) > 1).length
  t.log(`${again} of ${ids.length} were handed over twice, each under its one id`)
  t.true(again <= 3 * 500)
})

test('a reader that starts before its client is connected waits for it and has nothing to complain of', async (t) => {
  const place = await ownPrefix(t)
  const [id = ''] = await decide(place, 1)
  const redis = new Redis(place.url, readerRedisOptions)
  t.teardown(() => redis.disconnect())
  const table = createTable()
  const complaints: string[] = []
  const complain = (_facts: object, message: string) => void complaints.push(message)
  const log = { ...quiet, warn: complain, error: complain }
  readerFor(t, { ...place, redis }, { onBatch: table.onBatch, log }).start()
  await eventually('it is stored', () => table.rows.has(id))
  t.deepEqual(complaints, [])
})
