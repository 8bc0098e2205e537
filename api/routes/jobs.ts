import { z } from 'zod'
import type { Jobs } from '../../lib/jobs/jobs.ts'
import type { UndoJob } from '../../lib/jobs/undo.ts'
import { aiActionSchema } from '../../lib/actions/actions.ts'
import { jobAttemptsSchema } from '../../lib/schemas/job-attempt.ts'
import { jobOriginSchema, jobSchema, jobStatusSchema } from '../../lib/schemas/job.ts'
import { encodeCursor, idParamsSchema, pageFields, pageOf } from '../../lib/schemas/page.ts'
import { undoResultSchema } from '../../lib/schemas/undo.ts'
import type { AwaitJob } from '../await-job.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'

/** Looking at jobs, cancelling them, and taking back what they changed. Submitting is the business of each action's own route. */
export function jobEndpoints({
  jobs,
  undoJob,
  awaitJob
}: {
  jobs: Jobs
  undoJob: UndoJob
  awaitJob: AwaitJob
}): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/jobs',
      summary: 'List your jobs, newest first',
      tag: 'Jobs',
      access: 'user',
      query: z.strictObject({
        ...pageFields,
        status: jobStatusSchema.optional(),
        action: aiActionSchema.optional(),
        origin: jobOriginSchema.optional()
      }),
      responses: { 200: { description: 'A page of jobs', schema: pageOf(jobSchema) } },
      async handler({ actor, query: { limit, cursor, ...filter } }) {
        const found = await jobs.list({ userId: actor.id, before: cursor, limit: limit + 1, ...filter })
        const data = found.slice(0, limit)
        const last = found.length > limit ? data.at(-1) : undefined
        return { status: 200, body: { data, nextCursor: last ? encodeCursor(last.id) : null } }
      }
    }),
    endpoint({
      method: 'get',
      path: '/jobs/:id',
      summary: 'Read a job; with `Prefer: wait=N` once it has ended, or after N seconds',
      tag: 'Jobs',
      access: 'user',
      params: idParamsSchema,
      responses: { 200: { description: 'The job as it stands', schema: jobSchema } },
      async handler({ actor, params: { id }, req, res }) {
        const job = await jobs.find(actor, id)
        const waited = await awaitJob({ actor, req, res }, job, (now) => jobs.find(now, id))
        return { status: 200, body: waited.job, headers: waited.headers }
      }
    }),
    endpoint({
      method: 'get',
      path: '/jobs/:id/attempts',
      summary: 'Read how each attempt of a job went, the first one first, and why the next had to wait',
      tag: 'Jobs',
      access: 'user',
      params: idParamsSchema,
      responses: { 200: { description: 'The last 200 attempts, and the one that runs', schema: jobAttemptsSchema } },
      async handler({ actor, params: { id } }) {
        return { status: 200, body: { data: await jobs.attempts(actor, id) } }
      }
    }),
    endpoint({
      method: 'post',
      path: '/jobs/:id/cancel',
      summary: 'Cancel a job in any state; one that has ended stays as it ended',
      tag: 'Jobs',
      access: 'user',
      params: idParamsSchema,
      responses: { 200: { description: 'The job', schema: jobSchema } },
      async handler({ actor, params: { id } }) {
        return { status: 200, body: await jobs.cancel(actor, id) }
      }
    }),
    endpoint({
      method: 'post',
      path: '/jobs/:id/undo',
      summary:
        'Take back what a chat of yours changed, where nobody has changed it since; repeating it answers the same',
      tag: 'Jobs',
      access: 'user',
      params: idParamsSchema,
      responses: { 200: { description: 'What was taken back, and what stays and why', schema: undoResultSchema } },
      async handler({ actor, params: { id } }) {
        return { status: 200, body: await undoJob(actor, id) }
      }
    })
  ]
}
