import type { Knex } from 'knex'
import { gateActions } from '../../actions/actions.ts'
import { type AuditQuery, type AuditView, outcomeSchema } from '../../schemas/admin.ts'
import { formatUsd } from '../../money.ts'

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
  limits: { name: string; refused: boolean }[] | null
  repeats: number
  place: string
}

const newestFirst = 'created_at desc, id desc'
/** With microseconds, which a `Date` would lose. */
const place = `to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as place`

/** Audits as a list, over their indexed columns. */
export function createAuditQueries({ knex }: { knex: Knex }) {
  return {
    /** @returns the newest first, each with its place in the list: the time to the microsecond */
    async list(query: AuditQuery): Promise<{ audit: AuditView; createdAt: string }[]> {
      const { userId, action, outcome, from, to, cursor, limit } = query
      const where = [
        ...(userId === undefined ? [] : ['user_id = :userId']),
        ...(from === undefined ? [] : ['created_at >= :from']),
        ...(to === undefined ? [] : ['created_at < :to']),
        ...(cursor === undefined ? [] : ['(created_at, id) < (:createdAt, :id)'])
      ]
      const bindings = Object.fromEntries(
        Object.entries({ userId, from, to, limit, ...cursor }).filter(([, value]) => value !== undefined)
      )
      const page = (conditions: string[]) =>
        `select * from rate_limit_audits where ${['true', ...conditions].join(' and ')} order by ${newestFirst} limit :limit`
      // A page from each kind, merged: an index gives each in order, whereas one filtered list could read every row in
      // search of a rare kind.
      const source =
        action === undefined && outcome === undefined
          ? page(where)
          : `select a.* from unnest(:actions::rate_limit_action[]) k(action), unnest(:outcomes::rate_limit_outcome[]) o(outcome),
               lateral (${page(['action = k.action', 'outcome = o.outcome', ...where])}) a
             order by ${newestFirst} limit :limit`
      const { rows } = await knex.raw(
        `select *, ${place} from (${source}) page order by ${newestFirst}`,
        action === undefined && outcome === undefined
          ? bindings
          : {
              ...bindings,
              actions: action === undefined ? [...gateActions] : [action],
              outcomes: outcome === undefined ? outcomeSchema.options : [outcome]
            }
      )
      return (rows as AuditRow[]).map((row) => ({ audit: toView(row), createdAt: row.place }))
    }
  }
}

export type AuditQueries = ReturnType<typeof createAuditQueries>

const number = (value: unknown): number | null => (value === null ? null : Number(value))

function toView(row: AuditRow): AuditView {
  return {
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
    createdAt: row.created_at.toISOString(),
    refusedBy: (row.limits ?? []).filter(({ refused }) => refused).map(({ name }) => name),
    repeats: row.repeats
  }
}
