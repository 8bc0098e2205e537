import type { Knex } from 'knex'
import type { PicoUsd } from '../../money.ts'

export type PeriodUsage = { requests: number; promptTokens: number; completionTokens: number; costPico: PicoUsd }

export type UsageStore = ReturnType<typeof createUsageStore>

/**
 * What a user has used in the current UTC day and month: requests from the audits' figures, tokens and cost from the
 * ledger, all of one moment.
 */
export function createUsageStore({ knex }: { knex: Knex }) {
  return {
    async of(userId: string): Promise<{ today: PeriodUsage; month: PeriodUsage }> {
      const { rows } = await knex.raw(
        `with start as (select date_trunc('day', now(), 'UTC') as day, date_trunc('month', now(), 'UTC') as month),
         used as (
           select created_at as at, 0 as requests, prompt_tokens, completion_tokens, cost_pico
           from model_call_shares, start where user_id = :userId and created_at >= start.month
           union all
           select a.day, requests, 0, 0, 0 from audit_user_days a, start where user_id = :userId and a.day >= start.month
           union all
           select minute, requests, 0, 0, 0 from audit_deltas, start where user_id = :userId and minute >= start.month)
         select p.name, coalesce(sum(requests), 0) as requests, coalesce(sum(prompt_tokens), 0) as prompt_tokens,
           coalesce(sum(completion_tokens), 0) as completion_tokens, coalesce(sum(cost_pico), 0) as cost_pico
         from start cross join lateral (values ('today', start.day), ('month', start.month)) p(name, since)
         left join used on used.at >= p.since
         group by p.name`,
        { userId }
      )
      const usage = (name: string): PeriodUsage => {
        const row = (rows as Record<string, string>[]).find((period) => period.name === name) as Record<string, string>
        return {
          requests: Number(row.requests),
          promptTokens: Number(row.prompt_tokens),
          completionTokens: Number(row.completion_tokens),
          costPico: BigInt(row.cost_pico as string)
        }
      }
      return { today: usage('today'), month: usage('month') }
    }
  }
}
