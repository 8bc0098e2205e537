import type { Knex } from 'knex'
import type { AiAction } from '../../actions/actions.ts'

/** The columns of an audit row that its job fills in; the decision's own columns come from the gate, in either order. */
export type AuditedJob = {
  id: string
  decision: { id: string; at: Date }
  userId: string
  action: AiAction
  latencyMs: number | null
  model: string | null
  /** whole numbers, as text: they may pass 2^53 */
  promptTokens: string
  completionTokens: string
  costPico: string
  /** the policy that the job failed for, `null` when there is none: then the request was refused after all */
  refusedBy: string | null
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
  /** further refused requests of its subject, action and minute that the row stands for, so far */
  repeats: number
}

export type AuditStore = ReturnType<typeof createAuditStore>

export function createAuditStore() {
  return {
    /**
     * Writes decisions, each exactly once by its id, whether or not the job of the request was there first.
     * People who have been deleted meanwhile leave their audits without a name. Of two outcomes for one id the later of
     * allowed, blocked, degraded is what its client was told. A row that counts further refusals keeps what it has of the
     * first and takes the highest count, in whichever order counts come.
     */
    async recordDecisions(trx: Knex.Transaction, decisions: AuditedDecision[]): Promise<void> {
      await trx.raw(
        // the enum's own order is that of the outcomes' weight
        `insert into rate_limit_audits as a
           (id, user_id, action, outcome, method, path, ip, user_agent, limits, created_at, repeats)
         select distinct on (d.id) d.id, u.id, d.action::rate_limit_action, d.outcome::rate_limit_outcome, d.method, d.path,
                d.ip, d."userAgent", d.limits, to_timestamp(d.at / 1000.0), coalesce(d.repeats, 0)
         from jsonb_to_recordset(?::jsonb) as d (id uuid, at double precision, "userId" uuid, action text, outcome text,
              method text, path text, ip text, "userAgent" text, limits jsonb, repeats integer)
         left join users u on u.id = d."userId"
         order by d.id, d.outcome::rate_limit_outcome desc, d.repeats desc nulls last
         on conflict (id) do update set
           outcome = greatest(a.outcome, excluded.outcome),
           method = coalesce(a.method, excluded.method), path = coalesce(a.path, excluded.path),
           ip = coalesce(a.ip, excluded.ip), user_agent = coalesce(a.user_agent, excluded.user_agent),
           limits = case when excluded.outcome > a.outcome then excluded.limits else coalesce(a.limits, excluded.limits) end,
           repeats = greatest(a.repeats, excluded.repeats)`,
        [JSON.stringify(decisions)]
      )
    },

    /**
     * Completes the audit rows of jobs with model, tokens, cost and latency, and with the policy that refused one, in the
     * transaction that ends them.
     */
    async completeByJobs(trx: Knex.Transaction, jobs: readonly AuditedJob[]): Promise<void> {
      if (jobs.length === 0) return
      await trx.raw(
        `insert into rate_limit_audits as a
           (id, user_id, action, outcome, limits, created_at, job_id, model, prompt_tokens, completion_tokens,
            total_tokens, cost_pico, latency_ms)
         select j.id, j.user_id, j.action::rate_limit_action, j.outcome::rate_limit_outcome, j.limits, j.created_at, j.job_id,
                j.model, j.prompt_tokens, j.completion_tokens, j.prompt_tokens + j.completion_tokens, j.cost_pico, j.latency_ms
         from jsonb_to_recordset(?::jsonb) as j (id uuid, user_id uuid, action text, outcome text, limits jsonb,
              created_at timestamptz, job_id uuid, model text, prompt_tokens bigint, completion_tokens bigint,
              cost_pico bigint, latency_ms integer)
         order by j.id
         on conflict (id) do update set
           job_id = excluded.job_id, model = excluded.model, prompt_tokens = excluded.prompt_tokens,
           completion_tokens = excluded.completion_tokens, total_tokens = excluded.total_tokens,
           cost_pico = excluded.cost_pico, latency_ms = excluded.latency_ms,
           outcome = case when excluded.outcome = 'blocked' then greatest(a.outcome, excluded.outcome) else a.outcome end,
           limits = case when excluded.limits is null then a.limits
                         else excluded.limits || coalesce(a.limits, '[]'::jsonb) end`,
        [
          JSON.stringify(
            jobs.map((job) => ({
              id: job.decision.id,
              user_id: job.userId,
              action: job.action,
              outcome: job.refusedBy === null ? 'allowed' : 'blocked',
              limits:
                job.refusedBy === null ? null : [{ name: job.refusedBy, capacity: 0, remaining: 0, refused: true }],
              created_at: job.decision.at,
              job_id: job.id,
              model: job.model,
              prompt_tokens: job.promptTokens,
              completion_tokens: job.completionTokens,
              cost_pico: job.costPico,
              latency_ms: job.latencyMs
            }))
          )
        ]
      )
    }
  }
}

/**
 * Brings the audit rows of ended jobs up to date with a call of theirs that was settled only after their end, when they
 * were cancelled for example: in the transaction of the settlement.
 */
export async function auditLateSettlement(trx: Knex.Transaction, callId: string): Promise<void> {
  await trx.raw(
    `update rate_limit_audits a set model = t.model, prompt_tokens = t.prompt_tokens,
       completion_tokens = t.completion_tokens, total_tokens = t.prompt_tokens + t.completion_tokens, cost_pico = t.cost_pico
     from (
       select j.decision_id, sum(s.prompt_tokens) as prompt_tokens, sum(s.completion_tokens) as completion_tokens,
         sum(s.cost_pico) as cost_pico, (array_agg(c.model order by c.kind, c.created_at))[1] as model
       from jobs j join model_call_shares s on s.job_id = j.id join model_calls c on c.id = s.call_id
       where j.finished_at is not null and j.id in (select job_id from model_call_shares where call_id = ?)
       group by j.decision_id) t
     where a.id = t.decision_id and a.job_id is not null`,
    [callId]
  )
}
