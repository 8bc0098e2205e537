import { isDeepStrictEqual } from 'node:util'
import type { Knex } from 'knex'
import { createAuditWriter } from '../lib/admin/audit-writer.ts'
import { createEventLog } from '../lib/events/log.ts'
import type { DecisionRecord } from '../lib/gate/decision.ts'
import { newId } from '../lib/ids.ts'
import { type AuditQuery, auditQuerySchema } from '../lib/schemas/admin.ts'
import { createAuditQueries } from '../lib/store/audit/queries.ts'
import { createAuditStore } from '../lib/store/audit/audits.ts'
import { type Bucket, type ConsumerOrder, createStatistics } from '../lib/store/audit/statistics.ts'
import { dayMs, type Range } from '../lib/time/time-ranges.ts'
import { createTransaction } from '../lib/store/transaction.ts'
import { formatUsd } from '../lib/money.ts'
import { openBenchDatabase, printTable } from './bench-database.ts'
import { quantile } from './suite/statistics.ts'
import { rollUpsOver } from '../test/helpers/roll-ups.ts'

/**
 * `npm run bench:admin [-- rows [rounds]]`: fills a schema of its own with audits of 30 days (1,000,000 unless told) and
 * the calls that go with them, asks what administrators ask while 20,000 decisions a minute come in, and compares each
 * answer with a plain count over the same rows.
 */

const size = Number(process.argv[2] ?? 1_000_000)
const rounds = Number(process.argv[3] ?? 40)
const people = 1_000
const days = 30
const chunk = 20_000
const decisionsAMinute = 20_000
const batch = 500
const targetMs = 150

/** Requests of the audits and spending of the ledger, as plain rows. */
const plainRows = `(
  select created_at, user_id, action, outcome, 1 as requests, 0 as tokens, 0 as cost_pico from rate_limit_audits
  union all
  select created_at, user_id, action, null, 0, prompt_tokens + completion_tokens, cost_pico from model_call_shares) r`
const plainFigures = `sum(requests) as requests, count(*) filter (where outcome = 'blocked') as blocked,
  coalesce(sum(tokens), 0) as tokens, coalesce(sum(cost_pico), 0) as cost`
type PlainRow = Record<'requests' | 'blocked' | 'tokens' | 'cost', string> & Record<string, unknown>
const plain = (row: PlainRow) => [
  Number(row.requests),
  Number(row.blocked),
  Number(row.tokens),
  formatUsd(BigInt(row.cost))
]
const shown = (row: { requests: number; blocked: number; totalTokens: number; costUsd: string }) => {
  return [row.requests, row.blocked, row.totalTokens, row.costUsd]
}

/** Audits in order of time: a third of the people's requests are AI actions, most of them with tokens; few use much. */
async function fill(knex: Knex, until: Date): Promise<void> {
  await knex.raw(
    `insert into users (id, email, password_hash, name)
     select gen_random_uuid(), 'person' || n || '@example.test', 'none', '' from generate_series(1, ?) n`,
    [people]
  )
  const start = until.getTime() - days * dayMs
  const chunks = Math.ceil(size / chunk)
  for (let n = 0; n < chunks; n++) {
    const rows = Math.min(chunk, size - n * chunk)
    await knex.raw(
      `with who as materialized (select array_agg(id order by email) as ids from users),
       made as materialized (
         select gen_random_uuid() as id, who.ids[1 + floor(power(random(), 2.5) * :people::int)::int] as user_id,
           (enum_range(null::rate_limit_action))[case when random() < 0.65 then 1 else 2 + floor(random() * 5)::int end] as action,
           (enum_range(null::rate_limit_outcome))[case when random() < 0.93 then 1 when random() < 0.98 then 2 else 3 end]
             as outcome,
           '192.0.2.' || floor(random() * 250)::int as ip, floor(random() * 4000)::bigint as tokens,
           :start::timestamptz + (:from::float8 + random() * (:to::float8 - :from::float8)) * interval '1 millisecond' as created_at
         from generate_series(1, :rows) g, who),
       calls as (
         insert into model_calls (id, kind, model, state, prompt_tokens, completion_tokens, cost_pico, created_at)
         select id, 'chat', 'offline-chat-mini', 'settled', tokens, tokens / 4, tokens * 300000, created_at
         from made where action <> 'api_call' and outcome <> 'blocked'),
       shares as (
         insert into model_call_shares (call_id, ordinal, job_id, user_id, action, step, input_hash, run, prompt_tokens,
           completion_tokens, cost_pico, created_at)
         select id, 0, id, user_id, action, 'answer', '', 1, tokens, tokens / 4, tokens * 300000, created_at
         from made where action <> 'api_call' and outcome <> 'blocked')
       insert into rate_limit_audits (id, user_id, action, outcome, method, path, ip, user_agent, model, prompt_tokens,
         completion_tokens, total_tokens, cost_pico, latency_ms, created_at)
       select id, user_id, action, outcome, 'POST', '/api/v1/chat', ip, 'bench', case when used then 'offline-chat-mini' end,
         case when used then tokens end, case when used then tokens / 4 end, case when used then tokens + tokens / 4 end,
         case when used then tokens * 300000 end, case when used then 900 end, created_at
       from made, lateral (select action <> 'api_call' and outcome <> 'blocked' as used) u`,
      {
        people,
        rows,
        start: new Date(start),
        from: (n / chunks) * days * dayMs,
        to: ((n + 1) / chunks) * days * dayMs
      }
    )
    if (process.stdout.isTTY) process.stdout.write(`\r${n * chunk + rows} rows`)
  }
  if (process.stdout.isTTY) process.stdout.write('\r')
}

const { knex, close } = await openBenchDatabase()
const seconds = (since: number) => `${((performance.now() - since) / 1_000).toFixed(1)} s`
try {
  const [figures, audits, rollUps] = [createStatistics({ knex }), createAuditQueries({ knex }), rollUpsOver(knex)]
  const now = new Date()

  let since = performance.now()
  await fill(knex, now)
  console.log(`${size} audits written in ${seconds(since)}`)
  since = performance.now()
  while (await rollUps.fold(50_000));
  console.log(`figures rolled up in ${seconds(since)}`)
  await knex.raw('vacuum analyze')

  const writer = startWriter(knex)
  const heavy = (
    await knex('rate_limit_audits').select('user_id').count('*').groupBy('user_id').orderBy('count', 'desc').limit(1)
  )[0]?.user_id as string
  await measure(figures, audits, now, heavy)
  await writer.stop()
  await compare(knex, figures, now, heavy)
} finally {
  await close()
}

type Figures = ReturnType<typeof createStatistics>

/** Decisions as the reader of the streams hands them on, at a steady pace, and the roll-up beside them. */
function startWriter(database: Knex) {
  const transaction = createTransaction({ knex: database, onError: () => undefined })
  const audits = createAuditStore()
  const events = createEventLog({ transaction, wake: async () => undefined })
  const write = createAuditWriter({ transaction, audits, events })
  const rollUps = rollUpsOver(database)
  let stopping = false
  let written = 0
  const startedAt = performance.now()
  const heapBefore = heap()

  const writing = (async () => {
    const users = await database('users').pluck('id')
    while (!stopping) {
      await write(
        Array.from({ length: batch }, () => decisionOf(users[Math.floor(Math.random() * users.length)] as string))
      )
      written += batch
      const ahead = (written / decisionsAMinute) * 60_000 - (performance.now() - startedAt)
      if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead))
    }
  })()
  const folding = (async () => {
    while (!stopping) {
      await rollUps.fold(50_000)
      await new Promise((resolve) => setTimeout(resolve, 2_000))
    }
  })()
  return {
    /** Goes on until a minute's worth has come. */
    async stop() {
      while (written < decisionsAMinute) await new Promise((resolve) => setTimeout(resolve, 100))
      stopping = true
      await Promise.all([writing, folding])
      const minutes = (performance.now() - startedAt) / 60_000
      console.log(
        `meanwhile ${written} decisions were written, ${Math.round(written / minutes)} a minute; the heap grew by ${(heap() - heapBefore).toFixed(1)} MB`
      )
    }
  }
}

function heap(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1e6
}

function decisionOf(userId: string): DecisionRecord {
  return {
    id: newId(),
    at: Date.now(),
    userId,
    ip: '192.0.2.7',
    action: 'api_call',
    outcome: 'allowed',
    method: 'GET',
    path: '/api/v1/goals',
    userAgent: 'bench',
    limits: [{ name: 'api_call', capacity: 150, remaining: 149, refused: false }],
    repeats: 0
  }
}

async function measure(figures: Figures, audits: ReturnType<typeof createAuditQueries>, now: Date, heavy: string) {
  const last = (length: number): Range => ({ from: new Date(Date.now() - length * dayMs), to: new Date() })
  const any = (): Range => {
    const from = now.getTime() - Math.random() * days * dayMs
    return { from: new Date(from), to: new Date(from + Math.random() * (Date.now() - from)) }
  }
  const list = (query: Partial<Record<keyof AuditQuery, unknown>>) => () => audits.list(auditQuerySchema.parse(query))
  const statistics = (range: () => Range, bucket: Bucket, userId?: string) => () =>
    figures.statistics(range(), bucket, userId)
  const top = (range: () => Range, by: ConsumerOrder) => () => figures.topConsumers(range(), by, 10)
  const questions: Record<string, () => Promise<unknown>> = {
    'statistics, last 24 hours by the hour': statistics(() => last(1), 'hour'),
    'statistics, last 24 hours by the minute': statistics(() => last(1), 'minute'),
    'statistics, 30 days by the hour': statistics(() => last(days), 'hour'),
    'statistics, 30 days by the day': statistics(() => last(days), 'day'),
    'statistics, any range by the hour': statistics(any, 'hour'),
    'statistics, busiest user, 24 hours': statistics(() => last(1), 'hour', heavy),
    'statistics, busiest user, 30 days': statistics(() => last(days), 'day', heavy),
    'top consumers by requests, 24 hours': top(() => last(1), 'requests'),
    'top consumers by cost, 30 days': top(() => last(days), 'cost'),
    'top consumers by blocked, any range': top(any, 'blocked'),
    'audits, newest': list({ limit: 100 }),
    'audits of a user': list({ limit: 100, userId: heavy }),
    'audits of a rare kind': list({ limit: 100, action: 'bulk_create', outcome: 'degraded' }),
    'audits of a user and a rare kind': list({ userId: heavy, action: 'bulk_create', outcome: 'degraded' }),
    'audits refused in a week long ago': () =>
      list({
        outcome: 'blocked',
        from: new Date(now.getTime() - 27 * dayMs).toISOString(),
        to: new Date(now.getTime() - 20 * dayMs).toISOString()
      })()
  }
  const rows: Record<string, string | number>[] = []
  for (const [question, ask] of Object.entries(questions)) {
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      const startedAt = performance.now()
      JSON.stringify(await ask())
      times.push(performance.now() - startedAt)
    }
    const p95 = quantile(times, 0.95)
    if (p95 > targetMs) process.exitCode = 1
    rows.push({ question, 'p50 ms': quantile(times, 0.5).toFixed(1), 'p95 ms': p95.toFixed(1) })
  }
  printTable(rows)
}

/** The same questions answered by counting every row. */
async function compare(database: Knex, figures: Figures, now: Date, heavy: string): Promise<void> {
  let compared = 0
  let different = 0
  const expect = (ours: unknown, theirs: unknown) => {
    compared += 1
    if (!isDeepStrictEqual(ours, theirs)) different += 1
  }
  const startedAt = performance.now()
  for (const [length, bucket, userId] of [
    [1, 'minute', undefined],
    [1, 'hour', undefined],
    [7.3, 'hour', undefined],
    [days + 1, 'day', undefined],
    [days + 1, 'hour', heavy]
  ] as const) {
    const range = { from: new Date(now.getTime() - length * dayMs), to: new Date() }
    const where = `created_at >= :from and created_at < :to ${userId ? 'and user_id = :userId' : ''}`
    const bindings = { ...range, bucket, ...(userId ? { userId } : {}) }
    const statistics = await figures.statistics(range, bucket, userId)
    const rowsOf = async (sql: string) => (await database.raw(sql, bindings)).rows as PlainRow[]
    const total = await rowsOf(`select ${plainFigures} from ${plainRows} where ${where}`)
    expect(shown(statistics.totals), plain(total[0] as PlainRow))
    const actions = await rowsOf(
      `select action, ${plainFigures} from ${plainRows} where ${where} group by action order by action`
    )
    expect(
      statistics.byAction.map((row) => [row.action, ...shown(row)]),
      actions.map((row) => [row.action, ...plain(row)])
    )
    const buckets = await rowsOf(
      `select date_trunc(:bucket, created_at, 'UTC') as at, ${plainFigures} from ${plainRows} where ${where}
       group by 1 order by 1`
    )
    expect(
      statistics.timeline.map((row) => [row.at, ...shown(row)]),
      buckets.map((row) => [(row.at as Date).toISOString(), ...plain(row)])
    )
    if (userId === undefined) {
      const models = await rowsOf(
        `select model, count(*) as requests, 0 as blocked, sum(prompt_tokens + completion_tokens) as tokens,
           sum(cost_pico) as cost from model_calls where ${where} group by model order by model`
      )
      expect(
        statistics.byModel.map((row) => [row.model, ...shown({ ...row, requests: row.calls, blocked: 0 })]),
        models.map((row) => [row.model, ...plain(row)])
      )
      for (const [by, column] of [
        ['requests', 'requests'],
        ['tokens', 'tokens'],
        ['cost', 'cost'],
        ['blocked', 'blocked']
      ] as const) {
        const users = await rowsOf(
          `select user_id, ${plainFigures} from ${plainRows} where ${where} and user_id is not null
           group by user_id order by ${column} desc, user_id limit 100`
        )
        expect(
          (await figures.topConsumers(range, by, 100)).map((row) => [row.userId, ...shown(row)]),
          users.map((row) => [row.user_id, ...plain(row)])
        )
      }
    }
  }
  console.log(
    different === 0
      ? `all ${compared} answers agree with a plain count over ${size} rows and more, which took ${seconds(startedAt)}`
      : `${different} of ${compared} answers differ from a plain count`
  )
  if (different > 0) process.exitCode = 1
}
