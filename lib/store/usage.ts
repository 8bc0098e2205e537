import type { Knex } from 'knex'
import type { PicoUsd } from '../usage/money.ts'

export type PeriodUsage = { requests: number; promptTokens: number; completionTokens: number; costPico: PicoUsd }

/**
 * What a user has used in the current UTC day and month: requests from the audits' figures, tokens and cost from the
 * ledger.
 */
export function createUsageStore({ knex }: { knex: Knex }) {
  async function since(userId: string, period: 'day' | 'month'): Promise<PeriodUsage> {
    const { rows } = await knex.raw(
      `with start as (select date_trunc(:period, now(), 'UTC') as at),
       used as (
         select coalesce(sum(prompt_tokens), 0) as prompt_tokens, coalesce(sum(completion_tokens), 0) as completion_tokens,
                coalesce(sum(cost_pico), 0) as cost_pico
         from model_call_shares, start where user_id = :userId and created_at >= start.at),
       asked as (
         select requests from audit_user_days, start where user_id = :userId and day >= start.at
         union all
         select requests from audit_deltas, start where user_id = :userId and minute >= start.at)
       select used.*, (select coalesce(sum(requests), 0) from asked) as requests from used`,
      { period, userId }
    )
    const row = rows[0]
    return {
      requests: Number(row.requests),
      promptTokens: Number(row.prompt_tokens),
      completionTokens: Number(row.completion_tokens),
      costPico: BigInt(row.cost_pico)
    }
  }
  return {
    async of(userId: string): Promise<{ today: PeriodUsage; month: PeriodUsage }> {
      const [today, month] = await Promise.all([since(userId, 'day'), since(userId, 'month')])
      return { today, month }
    }
  }
}
export type UsageStore = ReturnType<typeof createUsageStore>
