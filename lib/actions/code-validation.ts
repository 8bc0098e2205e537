import { codeValidationInputSchema, codeValidationResultSchema } from '../schemas/code-validation.ts'
import { defineAction } from './define-action.ts'
import { referencesIn } from './references.ts'
import { chatCost } from './worst-case.ts'

/** Instructions, schemas and a task's text around a reviewed source, in bytes; its answer, in tokens. */
const frameBytes = 24_000
const answerTokens = 4_096

export const codeValidation = defineAction({
  name: 'code_validation',
  route: '/code-validations',
  summary: 'Have code reviewed',
  input: codeValidationInputSchema,
  result: codeValidationResultSchema,
  rateLimit: { limitPerMinute: 30, burst: 1.3 },
  concurrency: 8,
  attempts: 'configured',
  worstCase(input, { referredBytes, prices }) {
    const bytes = 'source' in input ? Buffer.byteLength(input.source) : referredBytes
    // the review, and one repair of an answer that does not fit its schema
    return 2n * chatCost(prices, 2 * bytes + frameBytes, answerTokens)
  },
  references: (input) => referencesIn(input, 'taskId', 'codeSnapshotId')
})
