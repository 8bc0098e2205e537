import type { Knex } from 'knex'
import type { AiAction } from '../../schemas/actions.ts'
import type { Ledger } from '../money/ledger.ts'

/** The columns of an audit row that its job fills in; the decision's own columns come from the gate, in either order. */
export type AuditedJob = {
  decisionId: string
  decisionAt: Date
  jobId: string
  userId: string
  action: AiAction
  latencyMs: number | null
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

export function createAuditStore({ ledger }: { ledger: Ledger }) {
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
     * Completes the audit row of a job with model, tokens, cost and latency, and with the policy that refused it, in the
     * transaction that ends the job.
     */
    async completeByJob(trx: Knex.Transaction, job: AuditedJob): Promise<void> {
      const totals = await ledger.totalsOf(trx, job.jobId)
      const refusal =
        job.refusedBy === null
          ? null
          : JSON.stringify([{ name: job.refusedBy, capacity: 0, remaining: 0, refused: true }])
      const merged = [
        'job_id',
        'model',
        'prompt_tokens',
        'completion_tokens',
        'total_tokens',
        'cost_pico',
        'latency_ms'
      ]
      await trx('rate_limit_audits')
        .insert({
          id: job.decisionId,
          user_id: job.userId,
          action: job.action,
          outcome: job.refusedBy === null ? 'allowed' : 'blocked',
          limits: refusal,
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
        .merge({
          ...Object.fromEntries(merged.map((name) => [name, trx.raw('excluded.??', [name])])),
          ...(refusal === null
            ? {}
            : {
                outcome: trx.raw('greatest(rate_limit_audits.outcome, excluded.outcome)'),
                limits: trx.raw(`excluded.limits || coalesce(rate_limit_audits.limits, '[]'::jsonb)`)
              })
        })
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
