import type { Knex } from 'knex'
import type { PicoUsd } from '../../money.ts'

/**
 * What a job has used over all its runs. `uncertainPico` is the most that calls may have cost of which nobody knows
 * whether they were charged: those that were cut off without an answer, by the end of a process for example.
 */
export type JobSpending = { promptTokens: number; completionTokens: number; costPico: PicoUsd; uncertainPico: PicoUsd }

/** Reads the ledger for the purse of a run: money spent is counted there and nowhere else. */
export function createJobSpending({ knex }: { knex: Knex }) {
  return {
    async of(jobId: string): Promise<JobSpending> {
      const { rows } = await knex.raw(
        `select coalesce(sum(s.prompt_tokens), 0)::text as prompt_tokens,
                coalesce(sum(s.completion_tokens), 0)::text as completion_tokens,
                coalesce(sum(s.cost_pico), 0)::text as cost_pico,
                coalesce(sum(c.worst_case_pico) filter (where c.state in ('intended', 'unknown')), 0)::text as uncertain_pico
         from model_call_shares s join model_calls c on c.id = s.call_id where s.job_id = ?`,
        [jobId]
      )
      const [row] = rows as Record<string, string>[]
      return {
        promptTokens: Number(row?.prompt_tokens),
        completionTokens: Number(row?.completion_tokens),
        costPico: BigInt(row?.cost_pico ?? 0),
        uncertainPico: BigInt(row?.uncertain_pico ?? 0)
      }
    }
  }
}
