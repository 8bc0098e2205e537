import { z } from 'zod'
import { idSchema, textSchema } from './text.ts'

export const maxSourceBytes = 256 * 1024

const sourceCodeSchema = textSchema
  .min(1)
  .refine((text) => Buffer.byteLength(text) <= maxSourceBytes, 'must have at most 256 KiB')

/** `POST /code-validations`: a stored snapshot, or source sent along. */
export const codeValidationInputSchema = z
  .union([
    z.strictObject({ codeSnapshotId: idSchema }),
    z.strictObject({
      language: textSchema.trim().min(1).max(50),
      source: sourceCodeSchema,
      taskId: idSchema.optional()
    })
  ])
  .meta({ id: 'CodeValidationRequest' })
export type CodeValidationInput = z.infer<typeof codeValidationInputSchema>

export const codeValidationResultSchema = z
  .object({
    verdict: z.enum(['pass', 'needs_work', 'fail']),
    score: z.int().min(0).max(100),
    summary: z.string(),
    issues: z.array(
      z.object({
        line: z.int().min(1),
        severity: z.enum(['info', 'warning', 'error']),
        message: z.string(),
        suggestion: z.string().optional()
      })
    )
  })
  .meta({ id: 'CodeValidationResult' })
export type CodeValidationResult = z.infer<typeof codeValidationResultSchema>
