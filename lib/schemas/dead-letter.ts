import { z } from 'zod'
import { pageFields } from './page.ts'

const kindSchema = z
  .string()
  .max(100)
  .regex(/^[a-z_]+(\.[a-z_]+)?$/, 'must be a kind, such as "sink.webhooks"')

export const deadLetterQuerySchema = z.strictObject({ ...pageFields, kind: kindSchema.optional() })
export const deadLettersRetrySchema = z.strictObject({ kind: kindSchema.optional() })

export const deadLetterSchema = z
  .object({
    id: z.uuid(),
    kind: z.string().describe('whose work it was: `sink.webhooks`, `placing`, `audits`, …'),
    key: z.string().describe('what names the member: of an event, job, decision or delivery its id'),
    code: z.string(),
    message: z.string(),
    attempts: z.int(),
    createdAt: z.iso.datetime(),
    failedAt: z.iso.datetime(),
    retryAt: z.iso.datetime().nullable().describe('when it is tried again; null: when somebody asks for it')
  })
  .meta({ id: 'DeadLetter' })
export type DeadLetterView = z.infer<typeof deadLetterSchema>
