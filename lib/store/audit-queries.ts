import type { Knex } from 'knex'
import type { GateAction } from '../schemas/actions.ts'
import type { AuditQuery, AuditView, Statistics } from '../schemas/admin.ts'
import { formatUsd } from '../usage/money.ts'

export type Range = { from: Date; to: Date }
export type ConsumerOrder = 'requests' | 'tokens' | 'cost' | 'blocked'

const counts = `
  count(*) as requests,
  count(*) filter (where outcome = 'allowed') as allowed,
  count(*) filter (where outcome = 'blocked') as blocked,
  count(*) filter (where outcome = 'degraded') as degraded,
  coalesce(sum(prompt_tokens), 0) as prompt_tokens,
  coalesce(sum(completion_tokens), 0) as completion_tokens,
  coalesce(sum(cost_pico), 0) as cost_pico`

type Row = Record<string, string>

type AuditRow = Pick<AuditView, 'id' | 'action' | 'outcome' | 'method' | 'path' | 'ip' | 'model'> & {
  user_id: string | null
  user_agent: string | null
  job_id: string | null
  prompt_tokens: string | null
  completion_tokens: string | null
  total_tokens: string | null
  cost_pico: string | null
  latency_ms: number | null
  created_at: Date
}

const number = (value: unknown): number | null => (value === null ? null : Number(value))

const tokensOf = (row: Row) => ({
  promptTokens: Number(row.prompt_tokens),
  completionTokens: Number(row.completion_tokens),
  totalTokens: Number(row.prompt_tokens) + Number(row.completion_tokens),
  costUsd: formatUsd(BigInt(row.cost_pico as string))
})

function totalsOf(row: Row): Statistics['totals'] {
  const requests = Number(row.requests)
  const blocked = Number(row.blocked)
  return {
    requests,
    allowed: Number(row.allowed),
    blocked,
    degraded: Number(row.degraded),
    blockedRate: requests === 0 ? 0 : blocked / requests,
    ...tokensOf(row)
  }
}

/** Questions about the audits, over their indexed columns. */
export function createAuditQueries({ knex }: { knex: Knex }) {
  const inRange = ({ from, to }: Range, userId: string | undefined) => ({
    where: `created_at >= :from and created_at < :to ${userId ? 'and user_id = :userId' : ''}`,
    bindings: { from, to, ...(userId ? { userId } : {}) }
  })

  return {
    /** Newest first. */
    async list(query: AuditQuery): Promise<AuditView[]> {
      const { userId, action, outcome, from, to, cursor, limit } = query
      const rows = await knex('rate_limit_audits')
        .modify((builder) => {
          if (userId) void builder.where({ user_id: userId })
          if (action) void builder.where({ action })
          if (outcome) void builder.where({ outcome })
          if (from) void builder.where('created_at', '>=', from)
          if (to) void builder.where('created_at', '<', to)
          if (cursor) void builder.whereRaw('(created_at, id) < (?, ?)', [cursor.createdAt, cursor.id])
        })
        .orderBy([
          { column: 'created_at', order: 'desc' },
          { column: 'id', order: 'desc' }
        ])
        .limit(limit)
      return (rows as AuditRow[]).map((row) => ({
        id: row.id,
        userId: row.user_id,
        action: row.action,
        outcome: row.outcome,
        method: row.method,
        path: row.path,
        ip: row.ip,
        userAgent: row.user_agent,
        jobId: row.job_id,
        model: row.model,
        promptTokens: number(row.prompt_tokens),
        completionTokens: number(row.completion_tokens),
        totalTokens: number(row.total_tokens),
        costUsd: row.cost_pico === null ? null : formatUsd(BigInt(row.cost_pico)),
        latencyMs: row.latency_ms,
        createdAt: row.created_at.toISOString()
      }))
    },

    /** Figures of a time span: in all, by action, by model (from the ledger) and along the time. */
    async statistics(
      range: Range,
      bucket: 'minute' | 'hour' | 'day',
      userId: string | undefined
    ): Promise<Omit<Statistics, 'from' | 'to'>> {
      const { where, bindings } = inRange(range, userId)
      const byAction = await knex.raw(
        `select action, ${counts} from rate_limit_audits where ${where} group by action order by action`,
        bindings
      )
      const timeline = await knex.raw(
        `select date_trunc(:bucket, created_at, 'UTC') as at, ${counts} from rate_limit_audits where ${where}
         group by 1 order by 1`,
        { ...bindings, bucket }
      )
      const byModel = await knex.raw(
        `select c.model, count(distinct c.id) as calls, coalesce(sum(s.prompt_tokens), 0) as prompt_tokens,
                coalesce(sum(s.completion_tokens), 0) as completion_tokens, coalesce(sum(s.cost_pico), 0) as cost_pico
         from model_call_shares s join model_calls c on c.id = s.call_id
         where s.created_at >= :from and s.created_at < :to ${userId ? 'and s.user_id = :userId' : ''}
         group by c.model order by c.model`,
        bindings
      )
      const actions = byAction.rows as Row[]
      const sum: Row = {}
      for (const name of [
        'requests',
        'allowed',
        'blocked',
        'degraded',
        'prompt_tokens',
        'completion_tokens',
        'cost_pico'
      ]) {
        sum[name] = actions.reduce((total, row) => total + BigInt(row[name] as string), 0n).toString()
      }
      return {
        totals: totalsOf(sum),
        byAction: actions.map((row) => ({ action: row.action as GateAction, ...totalsOf(row) })),
        byModel: (byModel.rows as Row[]).map((row) => ({
          model: row.model as string,
          calls: Number(row.calls),
          ...tokensOf(row)
        })),
        timeline: (timeline.rows as (Row & { at: unknown })[]).map((row) => {
          const { requests, blocked, totalTokens, costUsd } = totalsOf(row)
          return { at: (row.at as Date).toISOString(), requests, blocked, totalTokens, costUsd }
        })
      }
    },

    /** Those who used most; people who were deleted are not shown. */
    async topConsumers(range: Range, by: ConsumerOrder, limit: number) {
      const { where, bindings } = inRange(range, undefined)
      const order = { requests: 'requests', tokens: 'tokens', cost: 'cost_pico', blocked: 'blocked' }[by]
      const { rows } = await knex.raw(
        `select a.user_id, u.email, a.requests, a.blocked, a.tokens, a.cost_pico
         from (select user_id, count(*) as requests, count(*) filter (where outcome = 'blocked') as blocked,
                      coalesce(sum(total_tokens), 0) as tokens, coalesce(sum(cost_pico), 0) as cost_pico
               from rate_limit_audits where ${where} and user_id is not null group by user_id) a
         join users u on u.id = a.user_id
         order by a.${order} desc, a.user_id limit :limit`,
        { ...bindings, limit }
      )
      return (rows as Row[]).map((row) => ({
        userId: row.user_id as string,
        email: row.email as string,
        requests: Number(row.requests),
        blocked: Number(row.blocked),
        totalTokens: Number(row.tokens),
        costUsd: formatUsd(BigInt(row.cost_pico as string))
      }))
    }
  }
}

export type AuditQueries = ReturnType<typeof createAuditQueries>
