import type { Knex } from 'knex'
import type { AiAction } from '../schemas/actions.ts'
import type { Ledger } from './ledger.ts'

/** The columns of an audit row that its job fills in; the decision's own columns come from the gate, in either order. */
export type AuditedJob = {
  decisionId: string
  decisionAt: Date
  jobId: string
  userId: string
  action: AiAction
  latencyMs: number | null
}

/** What the gate decided about one request: `DecisionRecord` of `lib/gate`. */
export type AuditedDecision = {
  id: string
  /** milliseconds since 1970 */
  at: number
  userId: string | null
  ip: string
  action: string
  outcome: string
  method: string
  path: string
  userAgent: string
  limits: unknown
}

export type AuditStore = ReturnType<typeof createAuditStore>

export function createAuditStore({ ledger }: { ledger: Ledger }) {
  return {
    /**
     * Writes decisions, each exactly once by its id, whether or not the job of the request was there first.
     * People who have been deleted meanwhile leave their audits without a name.
     */
    async recordDecisions(trx: Knex.Transaction, decisions: AuditedDecision[]): Promise<void> {
      await trx.raw(
        `insert into rate_limit_audits (id, user_id, action, outcome, method, path, ip, user_agent, limits, created_at)
         select d.id, u.id, d.action::rate_limit_action, d.outcome::rate_limit_outcome, d.method, d.path, d.ip,
                d."userAgent", d.limits, to_timestamp(d.at / 1000.0)
         from jsonb_to_recordset(?::jsonb) as d (id uuid, at double precision, "userId" uuid, action text, outcome text,
              method text, path text, ip text, "userAgent" text, limits jsonb)
         left join users u on u.id = d."userId"
         order by d.id
         on conflict (id) do update set
           outcome = case when rate_limit_audits.outcome = 'degraded' then 'degraded' else excluded.outcome end, method = excluded.method, path = excluded.path,
           ip = excluded.ip, user_agent = excluded.user_agent, limits = excluded.limits`,
        [JSON.stringify(decisions)]
      )
    },

    /** Completes the audit row of a job with model, tokens, cost and latency, in the transaction that ends the job. */
    async completeByJob(trx: Knex.Transaction, job: AuditedJob): Promise<void> {
      const totals = await ledger.totalsOf(trx, job.jobId)
      await trx('rate_limit_audits')
        .insert({
          id: job.decisionId,
          user_id: job.userId,
          action: job.action,
          outcome: 'allowed',
          created_at: job.decisionAt,
          job_id: job.jobId,
          model: totals.model,
          prompt_tokens: totals.prompt_tokens,
          completion_tokens: totals.completion_tokens,
          total_tokens: trx.raw('?::bigint + ?::bigint', [totals.prompt_tokens, totals.completion_tokens]),
          cost_pico: totals.cost_pico,
          latency_ms: job.latencyMs
        })
        .onConflict('id')
        .merge(['job_id', 'model', 'prompt_tokens', 'completion_tokens', 'total_tokens', 'cost_pico', 'latency_ms'])
    }
  }
}
