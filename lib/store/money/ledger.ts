import type { Knex } from 'knex'
import { JobError } from '../../errors/job-error.ts'
import { auditLateSettlement } from '../audit/audits.ts'
import { notSetAside } from '../operations/dead-letters.ts'
import type { BudgetStore } from './budgets.ts'
import type { UsageScope } from '../../usage/tracker.ts'
import { noTokens, type PicoUsd, parseUsd, type TokenPrice, type TokenUsage } from '../../money.ts'

/** The part of a provider call that one step of one job has. */
export type Share = { scope: UsageScope; step: string; inputHash: string; worstCasePico: PicoUsd }

export type Settlement = {
  /** `settled`: the provider said what it cost; `estimated`: it was cut before it could; `unknown`: nobody can know */
  state: 'settled' | 'estimated' | 'unknown'
  usage: TokenUsage
  costPico: PicoUsd
  requestId?: string | undefined
  /** code of a refusal, or of what cut the call */
  error?: string | undefined
  latencyMs: number
  /** in the order of the intent's shares; parts that add up to the whole */
  shares: { usage: TokenUsage; costPico: PicoUsd; response?: unknown }[]
}

export type PricedModel = { priceId: string; price: TokenPrice }

export type Ledger = ReturnType<typeof createLedger>

/**
 * The ledger of provider calls: an intent is committed before the call, its settlement alone after it.
 * An intent that was never settled is marked `unknown` when the step is run again, so that the one window in which
 * money may be spent twice can be seen.
 */
export function createLedger({ knex, budgets }: { knex: Knex; budgets: Pick<BudgetStore, 'correctSettled'> }) {
  return {
    /** The price of a model that holds at this moment, or `undefined`: an unknown model is never priced at zero. */
    async priceOf(model: string, connection: Knex | Knex.Transaction = knex): Promise<PricedModel | undefined> {
      const row = await connection('prices')
        .where({ model })
        .where('valid_from', '<=', connection.fn.now())
        .orderBy('valid_from', 'desc')
        .first()
      if (!row) return undefined
      return {
        priceId: row.id as string,
        price: {
          input: perToken(row.input_per_million),
          cachedInput: perToken(row.cached_input_per_million),
          output: perToken(row.output_per_million)
        }
      }
    },

    /** The stored answer of a step that was paid for in this or an earlier run of the job. */
    async findResponse(jobId: string, step: string, inputHash: string): Promise<unknown> {
      const row = await knex('model_call_shares as s')
        .where({ 's.job_id': jobId, 's.step': step, 's.input_hash': inputHash })
        .whereNotNull('s.response')
        .first('s.response')
      return row?.response
    },

    /** How many calls of a job have failed with this code. */
    async failuresOf(jobId: string, code: string): Promise<number> {
      const row = await knex('model_calls as c')
        .join('model_call_shares as s', 's.call_id', 'c.id')
        .where({ 's.job_id': jobId, 'c.error': code })
        .first(knex.raw('count(*)::int as n'))
      return (row as { n: number } | undefined)?.n ?? 0
    },

    /**
     * Commits that a call is about to be made.
     * @throws JobError `run_lost` when a share's run is no longer in charge of its job: it has nothing to call for
     * @param admit decides in the same transaction what may be spent: returns the shares as granted, or throws
     */
    async intend(
      call: { id: string; kind: 'chat' | 'embedding'; model: string; priceId: string; shares: Share[] },
      admit: (trx: Knex.Transaction, shares: Share[]) => Promise<Share[]> = async (_trx, shares) => shares
    ): Promise<Share[]> {
      return await knex.transaction(async (trx) => {
        await requireRunning(trx, call.shares)
        const shares = await admit(trx, call.shares)
        for (const { scope, step, inputHash } of shares) {
          await trx('model_calls')
            .where({ state: 'intended' })
            .whereIn(
              'id',
              trx('model_call_shares')
                .where({ job_id: scope.jobId, step, input_hash: inputHash })
                .where('run', '<', scope.run)
                .select('call_id')
            )
            .update({ state: 'unknown', settled_at: trx.fn.now() })
        }
        await trx('model_calls').insert({
          id: call.id,
          kind: call.kind,
          model: call.model,
          price_id: call.priceId,
          state: 'intended',
          worst_case_pico: shares.reduce((sum, share) => sum + share.worstCasePico, 0n).toString()
        })
        await trx('model_call_shares').insert(
          shares.map(({ scope, step, inputHash, worstCasePico }, ordinal) => ({
            call_id: call.id,
            ordinal,
            job_id: scope.jobId,
            user_id: scope.userId,
            action: scope.action,
            step,
            input_hash: inputHash,
            run: scope.run,
            worst_case_pico: worstCasePico.toString()
          }))
        )
        return shares
      })
    },

    /**
     * Writes what a call came to. Not fenced by the job's run: money spent is money spent. Only the answer is kept for
     * nobody but a job that may run again.
     */
    async settle(id: string, settlement: Settlement): Promise<void> {
      await knex.transaction(async (trx) => {
        const open = await lockOpenJobs(trx, id)
        await trx('model_calls')
          .where({ id })
          .update({
            state: settlement.state,
            ...tokenColumns(settlement.usage),
            cost_pico: settlement.costPico.toString(),
            request_id: settlement.requestId ?? null,
            error: settlement.error ?? null,
            latency_ms: settlement.latencyMs,
            settled_at: trx.fn.now()
          })
        for (const [ordinal, share] of settlement.shares.entries()) {
          await trx('model_call_shares')
            .where({ call_id: id, ordinal })
            .update({
              ...tokenColumns(share.usage),
              cost_pico: share.costPico.toString(),
              response:
                share.response === undefined
                  ? null
                  : trx.raw('case when job_id = any (?::uuid[]) then ?::jsonb end', [
                      open,
                      JSON.stringify(share.response)
                    ])
            })
        }
        await budgets.correctSettled(trx, id)
        await auditLateSettlement(trx, id)
      })
    },

    /** Marks calls of a job's earlier runs that were never settled: their processes are gone, or will settle them yet. */
    async abandonEarlier(trx: Knex.Transaction, jobId: string): Promise<void> {
      await trx.raw(
        `update model_calls c set state = 'unknown', settled_at = now()
         from model_call_shares s join jobs j on j.id = s.job_id
         where s.call_id = c.id and s.job_id = ? and s.run < j.run and c.state = 'intended'`,
        [jobId]
      )
    },

    /** Drops stored answers of a job that has ended: they were kept only so that a later run need not pay again. */
    async dropResponses(trx: Knex.Transaction, jobId: string): Promise<void> {
      await trx('model_call_shares').where({ job_id: jobId }).whereNotNull('response').update({ response: null })
    },

    /**
     * Marks intents that nobody will settle any more: older than `ageMs`, and no share's job still active.
     * @returns how many, `limit` at most
     */
    async sweep(ageMs: number, limit: number): Promise<number> {
      const { rowCount } = await knex.raw(
        `update model_calls c set state = 'unknown', settled_at = now()
         where c.state = 'intended' and c.id in (${forsakenCalls})`,
        { ageMs, limit }
      )
      return rowCount as number
    },

    /** Ids of such intents. */
    async forsaken(ageMs: number, limit: number): Promise<string[]> {
      const { rows } = await knex.raw(forsakenCalls, { ageMs, limit })
      return (rows as { id: string }[]).map(({ id }) => id)
    },

    /** Marks these intents, of those that are still not settled. */
    async forsake(ids: readonly string[]): Promise<void> {
      await knex.raw(
        `update model_calls set state = 'unknown', settled_at = now()
         where state = 'intended' and id = any (?::uuid[])`,
        [[...ids]]
      )
    },

    /** Models and tokens of a job's calls, for its audit row. */
    async totalsOf(trx: Knex.Transaction, jobId: string) {
      const { rows } = await trx.raw(
        `select coalesce(sum(s.prompt_tokens), 0)::text as prompt_tokens,
                coalesce(sum(s.completion_tokens), 0)::text as completion_tokens,
                coalesce(sum(s.cost_pico), 0)::text as cost_pico,
                (array_agg(c.model order by c.kind, c.created_at))[1] as model
         from model_call_shares s join model_calls c on c.id = s.call_id where s.job_id = ?`,
        [jobId]
      )
      return rows[0] as { prompt_tokens: string; completion_tokens: string; cost_pico: string; model: string | null }
    }
  }
}

const forsakenCalls = `
  select c.id from model_calls c
  where c.state = 'intended' and c.created_at < now() - :ageMs * interval '1 ms' and ${notSetAside('unsettled_calls', 'c.id')}
    and not exists (select from model_call_shares s join jobs j on j.id = s.job_id and j.run = s.run
                    where s.call_id = c.id and j.status = 'active')
  limit :limit`

/**
 * Locks the jobs of these shares, in order of id, and looks whether each is still run by the run that asks. So a run
 * that was cancelled, or frozen and overtaken, makes no call any more.
 */
async function requireRunning(trx: Knex.Transaction, shares: Share[]): Promise<void> {
  const rows = await trx('jobs')
    .whereIn(
      'id',
      shares.map(({ scope }) => scope.jobId)
    )
    .orderBy('id')
    .forUpdate()
    .select('id', 'run', 'status')
  const runs = new Map(rows.map(({ id, run, status }) => [id as string, status === 'active' ? (run as number) : -1]))
  if (shares.some(({ scope }) => runs.get(scope.jobId) !== scope.run)) {
    throw new JobError('run_lost', 'another run has taken this job over, or it has ended', { retryable: false })
  }
}

/** Jobs of a call that have not ended, in order of id, kept from ending until the transaction is over. */
async function lockOpenJobs(trx: Knex.Transaction, callId: string): Promise<string[]> {
  return await trx('jobs')
    .whereIn('id', trx('model_call_shares').where({ call_id: callId }).select('job_id'))
    .whereIn('status', ['queued', 'active'])
    .orderBy('id')
    .forShare()
    .pluck('id')
}

/** USD for a million tokens are as many pico-USD for one token as there are micro-USD in the price. */
const perToken = (usdPerMillion: unknown): PicoUsd => parseUsd(String(usdPerMillion)) / 1_000_000n

const tokenColumns = ({ promptTokens, cachedTokens, completionTokens, reasoningTokens }: TokenUsage = noTokens) => ({
  prompt_tokens: promptTokens,
  cached_tokens: cachedTokens,
  completion_tokens: completionTokens,
  reasoning_tokens: reasoningTokens
})
