import type { Knex } from 'knex'
import type { GateAction } from '../../actions/actions.ts'
import type { Statistics } from '../../schemas/admin.ts'
import { formatUsd } from '../../money.ts'
import { cutRange, dayMs, hourMs, minuteMs, type Range, wholeUnits } from '../../time/time-ranges.ts'

export type Bucket = 'minute' | 'hour' | 'day'
export type ConsumerOrder = 'requests' | 'tokens' | 'cost' | 'blocked'

type Row = Record<string, string>

const sums = [
  'requests',
  'allowed',
  'blocked',
  'degraded',
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'cost_pico'
]
const summed = sums.map((name) => `sum(${name}) as ${name}`).join(', ')
const stored = sums.join(', ')
/** The same of a plain audit: its requests, but not what they cost, which the ledger says. */
const columnsOfOne = `1 + repeats as requests, (outcome = 'allowed')::int * (1 + repeats) as allowed,
  (outcome = 'blocked')::int * (1 + repeats) as blocked, (outcome = 'degraded')::int * (1 + repeats) as degraded,
  0::bigint as prompt_tokens, 0::bigint as completion_tokens, 0::bigint as total_tokens, 0::bigint as cost_pico`
/** And of a plain share of a provider call. */
const columnsOfShare = `0 as requests, 0 as allowed, 0 as blocked, 0 as degraded, prompt_tokens, completion_tokens,
  prompt_tokens + completion_tokens as total_tokens, cost_pico`
/** What was neither asked for nor spent is left out. */
const isSomething = 'sum(requests) <> 0 or sum(total_tokens) <> 0 or sum(cost_pico) <> 0'

/** A part of a union: columns of a table whose rows lie in a range of time. */
type Part = { select: string; table: string; time: string; ranges: Range[]; where?: string }

/** All parts as one relation, with their times bound. What comes first names the columns. */
function unionOf(parts: Part[], more: Record<string, unknown> = {}) {
  const bindings: Record<string, unknown> = { ...more }
  const selects = parts.flatMap(({ select, table, time, ranges, where = 'true' }, part) =>
    ranges.map(({ from, to }, index) => {
      const [lower, upper] = [`from${part}_${index}`, `to${part}_${index}`]
      Object.assign(bindings, { [lower]: from, [upper]: to })
      return `select ${select} from ${table} where ${time} >= :${lower} and ${time} < :${upper} and ${where}`
    })
  )
  return { sql: selects.join(' union all '), bindings }
}

const one = (range: Range | undefined) => (range ? [range] : [])

/**
 * Figures of the audits and the ledger over a range of time, from the roll-ups, the deltas not yet folded into them and,
 * for what is smaller than their units, the rows themselves: exactly what a plain count would say at the same moment.
 */
export function createStatistics({ knex }: { knex: Knex }) {
  /** One moment for all queries of an answer. Compiling these queries would take longer than running them. */
  async function reading<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T> {
    return await knex.transaction(
      async (trx) => {
        await trx.raw(`set local jit = off; set local work_mem = '32MB'`)
        return await work(trx)
      },
      { isolationLevel: 'repeatable read', readOnly: true }
    )
  }

  function partsOfAll(range: Range, bucket: Bucket): Part[] {
    const units = bucket === 'minute' ? [minuteMs] : [hourMs, minuteMs]
    const { units: whole, rest } = cutRange(range, units)
    const minutes = whole.at(-1) as Range[]
    const hours = whole.length === 2 ? (whole[0] as Range[]) : []
    return [
      { select: `hour as at, action, ${stored}`, table: 'audit_hours', time: 'hour', ranges: hours },
      { select: `minute as at, action, ${stored}`, table: 'audit_minutes', time: 'minute', ranges: minutes },
      {
        select: `minute as at, action, ${stored}`,
        table: 'audit_deltas',
        time: 'minute',
        ranges: one(wholeUnits(range, minuteMs))
      },
      {
        select: `created_at as at, action, ${columnsOfOne}`,
        table: 'rate_limit_audits',
        time: 'created_at',
        ranges: rest
      },
      {
        select: `created_at as at, action, ${columnsOfShare}`,
        table: 'model_call_shares',
        time: 'created_at',
        ranges: rest
      }
    ]
  }

  /** A person's minutes are not rolled up: their rows are few and lie together in an index. */
  function partsOfUser(range: Range, bucket: Bucket): Part[] {
    const where = 'user_id = :userId'
    const { units, rest } = cutRange(range, bucket === 'minute' ? [] : [hourMs])
    return [
      {
        select: `hour as at, action, ${stored}`,
        table: 'audit_user_hours',
        time: 'hour',
        ranges: units[0] ?? [],
        where
      },
      {
        select: `minute as at, action, ${stored}`,
        table: 'audit_deltas',
        time: 'minute',
        ranges: units.length > 0 ? one(wholeUnits(range, hourMs)) : [],
        where
      },
      {
        select: `created_at as at, action, ${columnsOfOne}`,
        table: 'rate_limit_audits',
        time: 'created_at',
        ranges: rest,
        where
      },
      {
        select: `created_at as at, action, ${columnsOfShare}`,
        table: 'model_call_shares',
        time: 'created_at',
        ranges: rest,
        where
      }
    ]
  }

  /** By user, without the time. */
  function partsOfPeople(range: Range): Part[] {
    const { units, rest } = cutRange(range, [dayMs, hourMs])
    const select = 'user_id, requests, blocked, total_tokens, cost_pico'
    return [
      { select, table: 'audit_user_days', time: 'day', ranges: units[0] as Range[] },
      { select, table: 'audit_user_hours', time: 'hour', ranges: units[1] as Range[] },
      { select, table: 'audit_deltas', time: 'minute', ranges: one(wholeUnits(range, hourMs)) },
      {
        select: `user_id, 1 + repeats as requests, (outcome = 'blocked')::int * (1 + repeats) as blocked,
          0::bigint as total_tokens, 0::bigint as cost_pico`,
        table: 'rate_limit_audits',
        time: 'created_at',
        ranges: rest
      },
      {
        select: `user_id, 0 as requests, 0 as blocked, prompt_tokens + completion_tokens as total_tokens, cost_pico`,
        table: 'model_call_shares',
        time: 'created_at',
        ranges: rest
      }
    ]
  }

  async function byModel(trx: Knex.Transaction, range: Range, userId: string | undefined): Promise<Row[]> {
    if (userId !== undefined) {
      const { rows } = await trx.raw(
        `select c.model, count(distinct c.id) as calls, sum(s.prompt_tokens) as prompt_tokens,
           sum(s.completion_tokens) as completion_tokens, sum(s.cost_pico) as cost_pico
         from model_call_shares s join model_calls c on c.id = s.call_id
         where s.created_at >= :from and s.created_at < :to and s.user_id = :userId
         group by c.model order by c.model`,
        { ...range, userId }
      )
      return rows
    }
    const { units, rest } = cutRange(range, [hourMs, minuteMs])
    const columns = 'prompt_tokens, completion_tokens, cost_pico'
    const { sql, bindings } = unionOf([
      { select: `model, calls, ${columns}`, table: 'ledger_hours', time: 'hour', ranges: units[0] as Range[] },
      { select: `model, calls, ${columns}`, table: 'ledger_minutes', time: 'minute', ranges: units[1] as Range[] },
      {
        select: `model, calls, ${columns}`,
        table: 'ledger_deltas',
        time: 'minute',
        ranges: one(wholeUnits(range, minuteMs))
      },
      { select: `model, 1 as calls, ${columns}`, table: 'model_calls', time: 'created_at', ranges: rest }
    ])
    if (sql === '') return []
    const { rows } = await trx.raw(
      `select model, sum(calls) as calls, sum(prompt_tokens) as prompt_tokens,
         sum(completion_tokens) as completion_tokens, sum(cost_pico) as cost_pico
       from (${sql}) parts group by model having sum(calls) > 0 order by model`,
      bindings
    )
    return rows
  }

  return {
    /**
     * In all, by action, by model and along the time: requests by the audits, tokens and cost by the ledger. Buckets in
     * which nothing was asked for and nothing spent are left out.
     */
    async statistics(
      range: Range,
      bucket: Bucket,
      userId: string | undefined
    ): Promise<Omit<Statistics, 'from' | 'to'>> {
      const parts = userId === undefined ? partsOfAll(range, bucket) : partsOfUser(range, bucket)
      const { sql, bindings } = unionOf(parts, { bucket, ...(userId === undefined ? {} : { userId }) })
      if (sql === '') return { totals: totalsOf(noSums), byAction: [], byModel: [], timeline: [] }
      return await reading(async (trx) => {
        const { rows } = (await trx.raw(
          `select action, at, ${summed} from (
             select action, date_trunc(:bucket, at, 'UTC') as at, ${stored} from (${sql}) parts) p
           group by grouping sets ((action), (at)) having ${isSomething} order by action, at`,
          bindings
        )) as { rows: (Row & { at: unknown })[] }
        const actions = rows.filter(({ action }) => action !== null)
        return {
          totals: totalsOf(addUp(actions)),
          byAction: actions.map((row) => ({ action: row.action as GateAction, ...totalsOf(row) })),
          byModel: (await byModel(trx, range, userId)).map((row) => ({
            model: row.model as string,
            calls: Number(row.calls),
            promptTokens: Number(row.prompt_tokens),
            completionTokens: Number(row.completion_tokens),
            totalTokens: Number(row.prompt_tokens) + Number(row.completion_tokens),
            costUsd: formatUsd(BigInt(row.cost_pico as string))
          })),
          timeline: rows
            .filter(({ action }) => action === null)
            .map((row) => ({
              at: (row.at as Date).toISOString(),
              requests: Number(row.requests),
              blocked: Number(row.blocked),
              totalTokens: Number(row.total_tokens ?? 0),
              costUsd: formatUsd(BigInt(row.cost_pico ?? 0))
            }))
        }
      })
    },

    /** Those who used most; people who were deleted are not shown. */
    async topConsumers(range: Range, by: ConsumerOrder, limit: number) {
      const { sql, bindings } = unionOf(partsOfPeople(range), { limit })
      if (sql === '') return []
      const order = { requests: 'requests', tokens: 'total_tokens', cost: 'cost_pico', blocked: 'blocked' }[by]
      return await reading(async (trx) => {
        const { rows } = (await trx.raw(
          `select p.*, u.email from (
             select user_id, sum(requests) as requests, sum(blocked) as blocked,
               coalesce(sum(total_tokens), 0) as total_tokens, coalesce(sum(cost_pico), 0) as cost_pico
             from (${sql}) parts where user_id is not null group by user_id having ${isSomething}) p
           join users u on u.id = p.user_id order by p.${order} desc, p.user_id limit :limit`,
          bindings
        )) as { rows: Row[] }
        return rows.map((row) => ({
          userId: row.user_id as string,
          email: row.email as string,
          requests: Number(row.requests),
          blocked: Number(row.blocked),
          totalTokens: Number(row.total_tokens),
          costUsd: formatUsd(BigInt(row.cost_pico as string))
        }))
      })
    },

    /** Users of at least `requests` requests of which more than `share` (a part of one) were refused. */
    async oftenBlocked(
      range: Range,
      { requests, share }: { requests: number; share: number }
    ): Promise<{ userId: string; share: number }[]> {
      const { sql, bindings } = unionOf(partsOfPeople(range), { requests, share })
      if (sql === '') return []
      return await reading(async (trx) => {
        const { rows } = (await trx.raw(
          `select user_id, sum(blocked)::float8 / sum(requests)::float8 as share
           from (${sql}) parts where user_id is not null group by user_id
           having sum(requests) >= :requests and sum(blocked)::float8 > :share * sum(requests)::float8`,
          bindings
        )) as { rows: { user_id: string; share: number }[] }
        return rows.map((row) => ({ userId: row.user_id, share: row.share }))
      })
    }
  }
}

export type Figures = ReturnType<typeof createStatistics>

const noSums: Row = Object.fromEntries(sums.map((name) => [name, '0']))

function addUp(rows: Row[]): Row {
  return Object.fromEntries(
    sums.map((name) => [name, rows.reduce((total, row) => total + BigInt(row[name] ?? 0), 0n).toString()])
  )
}

function totalsOf(row: Row): Statistics['totals'] {
  const requests = Number(row.requests)
  const blocked = Number(row.blocked)
  return {
    requests,
    allowed: Number(row.allowed),
    blocked,
    degraded: Number(row.degraded),
    blockedRate: requests === 0 ? 0 : blocked / requests,
    promptTokens: Number(row.prompt_tokens ?? 0),
    completionTokens: Number(row.completion_tokens ?? 0),
    totalTokens: Number(row.total_tokens ?? 0),
    costUsd: formatUsd(BigInt(row.cost_pico ?? 0))
  }
}
