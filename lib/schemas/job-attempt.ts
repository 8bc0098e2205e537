import { z } from 'zod'
import { jobErrorSchema, waitReasonSchema } from './job.ts'

/** `running` is the attempt that goes on; every other word is a last one. */
const attemptOutcomes = [
  'completed',
  'retried',
  'failed',
  'crashed',
  'drained',
  'cancelled',
  'overtaken',
  'running'
] as const

/** One run of a job by a worker. */
const jobAttemptSchema = z
  .object({
    attempt: z.int().describe('how many attempts the job had used with this one; a drain or a pause gives one back'),
    run: z.int().describe('counts every start, and only rises'),
    worker: z.string().describe('its name for administrators, a pseudonym of it for owners'),
    startedAt: z.iso.datetime(),
    endedAt: z.iso.datetime().nullable(),
    outcome: z.enum(attemptOutcomes),
    error: jobErrorSchema.nullable(),
    nextAt: z.iso.datetime().nullable().describe('when the next attempt was due; null when none followed'),
    waitReason: waitReasonSchema.nullable().describe('why the next attempt waited until then')
  })
  .meta({ id: 'JobAttempt' })
export type JobAttempt = z.infer<typeof jobAttemptSchema>

/** `GET /jobs/:id/attempts` */
export const jobAttemptsSchema = z.object({ data: z.array(jobAttemptSchema) })
