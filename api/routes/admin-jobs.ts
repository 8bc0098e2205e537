import { z } from 'zod'
import type { Jobs } from '../../lib/jobs/jobs.ts'
import { aiActionSchema } from '../../lib/actions/actions.ts'
import { jobSchema } from '../../lib/schemas/job.ts'
import { idParamsSchema } from '../../lib/schemas/page.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'

const tag = 'Admin: jobs'
const access = 'admin'

/** Failed jobs tried once more. A last state is final, so each retry is a new job that names the old one. */
export function adminJobEndpoints({ jobs }: { jobs: Pick<Jobs, 'retry' | 'retryAll'> }): Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/admin/jobs/:id/retry',
      summary: 'Retry a failed job as a new one with the same input',
      tag,
      access,
      params: idParamsSchema,
      responses: {
        201: { description: 'The new job', schema: jobSchema, headers: { Location: 'where the new job is read' } }
      },
      async handler({ params: { id } }) {
        const job = await jobs.retry(id)
        return { status: 201, body: job, headers: { Location: `/api/v1/jobs/${job.id}` } }
      }
    }),
    endpoint({
      method: 'post',
      path: '/admin/jobs/retry',
      summary: 'Retry the failed jobs that were not retried yet, of one action or all, up to a thousand at once',
      tag,
      access,
      query: z.strictObject({ action: aiActionSchema.optional() }),
      responses: { 200: { description: 'The new jobs', schema: z.object({ data: z.array(jobSchema) }) } },
      handler: async ({ query: { action } }) => ({ status: 200, body: { data: await jobs.retryAll(action) } })
    })
  ]
}
