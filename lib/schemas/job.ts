import { z } from 'zod'
import { aiActionSchema } from '../actions/actions.ts'

const jobStatuses = ['queued', 'active', 'completed', 'failed', 'cancelled'] as const
export const jobStatusSchema = z.enum(jobStatuses)
export type JobStatus = z.infer<typeof jobStatusSchema>

export const jobOriginSchema = z.enum(['user', 'system'])

const waitReasons = ['worker', 'delay', 'thread', 'budget', 'provider', 'queue_paused'] as const
export const waitReasonSchema = z.enum(waitReasons)
export type WaitReason = z.infer<typeof waitReasonSchema>

/** What an open job waits for, and until when where that is known. */
const waitingForSchema = z.object({ reason: waitReasonSchema, until: z.iso.datetime().nullable() })

export const jobErrorSchema = z.object({ code: z.string(), message: z.string(), retryable: z.boolean() })

const usageSchema = z.object({
  promptTokens: z.int(),
  cachedTokens: z.int(),
  completionTokens: z.int(),
  reasoningTokens: z.int(),
  totalTokens: z.int(),
  costUsd: z.string().describe('decimal USD with twelve decimals')
})

/** A job as everybody sees it: by REST, over `ws`, on RabbitMQ. */
export const jobSchema = z
  .object({
    id: z.uuid(),
    action: aiActionSchema,
    origin: jobOriginSchema,
    status: jobStatusSchema,
    progress: z.object({ done: z.int(), total: z.int() }).nullable(),
    result: z.unknown().nullable(),
    resultOmitted: z
      .literal(true)
      .optional()
      .describe('over 64 KiB, and left out of lists and news: read the job itself'),
    error: jobErrorSchema.nullable(),
    attempts: z.int(),
    waitingFor: waitingForSchema.nullable().describe('null while it runs, and once it has ended'),
    retryOf: z.uuid().nullable(),
    usage: usageSchema,
    createdAt: z.iso.datetime(),
    startedAt: z.iso.datetime().nullable(),
    finishedAt: z.iso.datetime().nullable()
  })
  .meta({ id: 'Job' })
export type JobView = z.infer<typeof jobSchema>
