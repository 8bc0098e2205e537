import type { Knex } from 'knex'
import { createCombined } from '../../batches/combine.ts'
import { JobError } from '../../errors/job-error.ts'
import { auditLateSettlement } from '../audit/audits.ts'
import { notSetAside } from '../operations/dead-letters.ts'
import type { UsageColumns } from '../jobs/view.ts'
import { type BudgetStore, heldCost } from './budgets.ts'
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

/** What the calls of a job came to. */
export type ClosedShares = {
  usage: UsageColumns
  /** what counts against budgets: what was paid, or the worst case of calls that nobody knows the cost of */
  spentPico: PicoUsd
  /** of its first call, a chat before others; `null` without a call */
  model: string | null
}

export type PricedModel = { priceId: string; price: TokenPrice }

export type Ledger = ReturnType<typeof createLedger>

/**
 * The ledger of provider calls: an intent is committed before the call, its settlement alone after it.
 * An intent that was never settled is marked `unknown` when the step is run again, so that the one window in which
 * money may be spent twice can be seen.
 */
export function createLedger({ knex, budgets }: { knex: Knex; budgets: Pick<BudgetStore, 'correctSettled'> }) {
  const findResponse = createCombined<PaidStep, unknown>({
    run: async (steps) => (await responsesOf(knex, steps)).map((value) => ({ value })),
    lanes: 4,
    rows: 256
  })

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
    findResponse: (jobId: string, step: string, inputHash: string): Promise<unknown> =>
      findResponse({ jobId, step, inputHash }),

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
     * @param admit decides in the same transaction what may be spent: returns the shares as granted, or throws. It gets
     *   the ids of the jobs whose spending has a limit, in their order; it is not asked when there are none.
     */
    async intend(
      call: { id: string; kind: 'chat' | 'embedding'; model: string; priceId: string; shares: Share[] },
      admit: (trx: Knex.Transaction, shares: Share[], limited: string[]) => Promise<Share[]> = async (_trx, shares) =>
        shares
    ): Promise<Share[]> {
      return await knex.transaction(async (trx) => {
        const limited = await requireRunning(trx, call.shares)
        const shares = limited.length > 0 ? await admit(trx, call.shares, limited) : call.shares
        await abandonSteps(
          trx,
          shares.filter(({ scope }) => scope.run > 1)
        )
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
        const { open, ended } = await lockJobs(trx, id)
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
        await settleShares(trx, id, settlement.shares, open)
        // Of jobs that have ended the figures were written without this call.
        if (ended === 0) return
        await budgets.correctSettled(trx, id)
        await auditLateSettlement(trx, id)
      })
    },

    /** Marks calls of these jobs' earlier runs that were never settled: their processes are gone, or will settle them yet. */
    async abandonEarlier(trx: Knex.Transaction, jobIds: readonly string[]): Promise<void> {
      await trx.raw(
        `update model_calls c set state = 'unknown', settled_at = now()
         from model_call_shares s join jobs j on j.id = s.job_id
         where s.call_id = c.id and s.job_id = any(?::uuid[]) and s.run < j.run and c.state = 'intended'`,
        [[...jobIds]]
      )
    },

    /**
     * At the end of jobs: what their calls cost counts as spent, and their stored answers go, which were kept only so
     * that a later run need not pay again.
     * @returns what each has used; a job without a call is not in it
     */
    async closeShares(trx: Knex.Transaction, jobIds: readonly string[]): Promise<Map<string, ClosedShares>> {
      const { rows } = await trx.raw(
        `with closed as (
           update model_call_shares s set response = null, counted_pico = ${heldCost}
           from model_calls c where c.id = s.call_id and s.job_id = any(?::uuid[])
           returning s.job_id, s.prompt_tokens, s.cached_tokens, s.completion_tokens, s.reasoning_tokens, s.cost_pico,
                     s.counted_pico, c.model, c.kind, c.created_at)
         select job_id, coalesce(sum(prompt_tokens), 0)::text as prompt_tokens,
                coalesce(sum(cached_tokens), 0)::text as cached_tokens,
                coalesce(sum(completion_tokens), 0)::text as completion_tokens,
                coalesce(sum(reasoning_tokens), 0)::text as reasoning_tokens,
                coalesce(sum(cost_pico), 0)::text as cost_pico, coalesce(sum(counted_pico), 0)::text as counted_pico,
                (array_agg(model order by kind, created_at))[1] as model
         from closed group by job_id`,
        [[...jobIds]]
      )
      return new Map(
        (rows as (ClosedShares['usage'] & { job_id: string; counted_pico: string; model: string })[]).map(
          ({ job_id, counted_pico, model, ...usage }) => [job_id, { usage, spentPico: BigInt(counted_pico), model }]
        )
      )
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
 * @returns ids of those whose spending has a limit, in order
 */
async function requireRunning(trx: Knex.Transaction, shares: Share[]): Promise<string[]> {
  const ids = shares.map(({ scope }) => scope.jobId)
  const { rows } = await trx.raw(
    `select id, run, status, (budgeted or input->>'maxCostUsd' is not null) as is_limited
     from jobs where id = any(?::uuid[]) order by id for update`,
    [ids]
  )
  const jobs = rows as { id: string; run: number; status: string; is_limited: boolean }[]
  const runs = new Map(jobs.map(({ id, run, status }) => [id, status === 'active' ? run : -1]))
  if (shares.some(({ scope }) => runs.get(scope.jobId) !== scope.run)) {
    throw new JobError('run_lost', 'another run has taken this job over, or it has ended', { retryable: false })
  }
  return jobs.filter((job) => job.is_limited).map(({ id }) => id)
}

/** Marks calls of earlier runs for the same steps that were never settled. */
async function abandonSteps(trx: Knex.Transaction, shares: Share[]): Promise<void> {
  if (shares.length === 0) return
  await trx.raw(
    `update model_calls c set state = 'unknown', settled_at = now()
     where c.state = 'intended' and c.id in (
       select s.call_id from model_call_shares s
       join unnest(:jobs::uuid[], :steps::text[], :hashes::text[], :runs::int[]) as t (job_id, step, input_hash, run)
         on s.job_id = t.job_id and s.step = t.step and s.input_hash = t.input_hash and s.run < t.run)`,
    {
      jobs: shares.map(({ scope }) => scope.jobId),
      steps: shares.map(({ step }) => step),
      hashes: shares.map(({ inputHash }) => inputHash),
      runs: shares.map(({ scope }) => scope.run)
    }
  )
}

/** Locks the jobs of a call in order of id, kept from ending until the transaction is over. */
async function lockJobs(trx: Knex.Transaction, callId: string): Promise<{ open: string[]; ended: number }> {
  const { rows } = await trx.raw(
    `select id, status in ('queued', 'active') as is_open from jobs
     where id in (select job_id from model_call_shares where call_id = ?) order by id for share`,
    [callId]
  )
  const jobs = rows as { id: string; is_open: boolean }[]
  const open = jobs.filter((job) => job.is_open).map(({ id }) => id)
  return { open, ended: jobs.length - open.length }
}

/** @param open jobs that may run again, and then have use for an answer */
async function settleShares(
  trx: Knex.Transaction,
  callId: string,
  shares: Settlement['shares'],
  open: string[]
): Promise<void> {
  const columns = shares.map(({ usage, costPico }) => ({ ...tokenColumns(usage), cost: costPico.toString() }))
  await trx.raw(
    `update model_call_shares s set
       prompt_tokens = t.prompt, cached_tokens = t.cached, completion_tokens = t.completion,
       reasoning_tokens = t.reasoning, cost_pico = t.cost,
       response = case when s.job_id = any(:open::uuid[]) then t.response end
     from unnest(:prompt::bigint[], :cached::bigint[], :completion::bigint[], :reasoning::bigint[], :cost::bigint[],
                 :responses::jsonb[]) with ordinality
       as t (prompt, cached, completion, reasoning, cost, response, place)
     where s.call_id = :callId and s.ordinal = t.place - 1`,
    {
      callId,
      open,
      prompt: columns.map((column) => column.prompt_tokens),
      cached: columns.map((column) => column.cached_tokens),
      completion: columns.map((column) => column.completion_tokens),
      reasoning: columns.map((column) => column.reasoning_tokens),
      cost: columns.map(({ cost }) => cost),
      responses: shares.map(({ response }) => (response === undefined ? null : JSON.stringify(response)))
    }
  )
}

type PaidStep = { jobId: string; step: string; inputHash: string }

/** The stored answers of these steps, in their order; `undefined` where there is none. */
async function responsesOf(knex: Knex, steps: readonly PaidStep[]): Promise<unknown[]> {
  const { rows } = await knex.raw(
    `select distinct on (t.place) t.place::int, s.response
     from unnest(:jobs::uuid[], :steps::text[], :hashes::text[]) with ordinality as t (job_id, step, input_hash, place)
     join model_call_shares s on s.job_id = t.job_id and s.step = t.step and s.input_hash = t.input_hash
     where s.response is not null`,
    {
      jobs: steps.map(({ jobId }) => jobId),
      steps: steps.map(({ step }) => step),
      hashes: steps.map(({ inputHash }) => inputHash)
    }
  )
  const found = new Map(
    (rows as { place: number; response: unknown }[]).map(({ place, response }) => [place, response])
  )
  return steps.map((_, index) => found.get(index + 1))
}

/** USD for a million tokens are as many pico-USD for one token as there are micro-USD in the price. */
const perToken = (usdPerMillion: unknown): PicoUsd => parseUsd(String(usdPerMillion)) / 1_000_000n

const tokenColumns = ({ promptTokens, cachedTokens, completionTokens, reasoningTokens }: TokenUsage = noTokens) => ({
  prompt_tokens: promptTokens,
  cached_tokens: cachedTokens,
  completion_tokens: completionTokens,
  reasoning_tokens: reasoningTokens
})
