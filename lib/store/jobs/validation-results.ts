import type { Knex } from 'knex'
import { type CodeValidationResult, codeValidationResultSchema } from '../../schemas/code-validation.ts'

export type ValidationResults = ReturnType<typeof createValidationResults>

/** Judgements that were paid for, each under the hash of what it rests on; nobody else's are ever found. */
export function createValidationResults({ knex }: { knex: Knex }) {
  return {
    async find(userId: string, inputHash: string): Promise<CodeValidationResult | undefined> {
      const row = await knex('validation_results').where({ user_id: userId, input_hash: inputHash }).first('result')
      const stored = codeValidationResultSchema.safeParse(row?.result)
      return stored.success ? stored.data : undefined
    },

    /** Keeps a result with the effect of the job it came from; the latest wins. */
    async save(
      trx: Knex.Transaction,
      {
        userId,
        inputHash,
        jobId,
        result
      }: { userId: string; inputHash: string; jobId: string; result: CodeValidationResult }
    ): Promise<void> {
      await trx('validation_results')
        .insert({ user_id: userId, input_hash: inputHash, job_id: jobId, result: JSON.stringify(result) })
        .onConflict(['user_id', 'input_hash'])
        .merge({ job_id: jobId, result: JSON.stringify(result), created_at: trx.fn.now() })
    }
  }
}
