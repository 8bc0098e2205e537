import type { ActionDefinition } from '../../lib/actions/define-action.ts'
import { type AiAction, actionOf, aiActions } from '../../lib/actions/actions.ts'
import type { Jobs } from '../../lib/jobs/jobs.ts'
import { type JobView, jobSchema } from '../../lib/schemas/job.ts'
import { type AwaitJob, hasEnded } from '../await-job.ts'
import { type Endpoint, endpoint, type Reply } from '../endpoint.ts'
import { readIdempotency } from '../idempotency.ts'
import type { Submit } from '../submit.ts'

type Needs = {
  jobs: Pick<Jobs, 'find'>
  awaitJob: AwaitJob
  submit: Submit
}

/** What a client that polls should wait at first. */
const pollAfterSeconds = '1'

/** The submission route of each AI action: it checks its body, takes both tokens, commits a job and answers 202. */
export function aiEndpoints(needs: Needs): Endpoint[] {
  return aiActions.map((action) => submission(needs, actionOf(action)))
}

function submission({ jobs, awaitJob, submit }: Needs, definition: ActionDefinition<AiAction>): Endpoint {
  const { name: action, route, summary, input: body, bodyLimitBytes, bodyLimitValues } = definition

  return endpoint({
    method: 'post',
    path: route,
    summary,
    tag: 'AI actions',
    access: 'user',
    limit: action,
    body,
    ...(bodyLimitBytes === undefined ? {} : { bodyLimitBytes }),
    ...(bodyLimitValues === undefined ? {} : { bodyLimitValues }),
    ...(definition.checkLargeOnThread ? { checkLargeAs: action } : {}),
    responses: {
      202: { description: 'Accepted: the job', schema: jobSchema, headers: { Location: 'where the job is read' } },
      200: {
        description: 'The job has ended: after `Prefer: wait`, or a repeated `Idempotency-Key`',
        schema: jobSchema
      }
    },
    async handler(input) {
      const { actor, req, res } = input
      const submitted = await submit(input, {
        action,
        input: input.body,
        references: definition.references(input.body),
        threadId: definition.threadOf?.(input.body),
        idempotency: readIdempotency(req, input.bodyHash)
      })
      input.bodyDone() // so that whoever waits for the job holds no body meanwhile
      const { job, headers } = await awaitJob({ actor, req, res }, submitted, (now) => jobs.find(now, submitted.id))
      return accepted(job, headers)
    }
  })
}

function accepted(job: JobView, headers: Record<string, string>): Reply {
  const location = `/api/v1/jobs/${job.id}`
  return hasEnded(job)
    ? { status: 200, body: job, headers: { Location: location, ...headers } }
    : { status: 202, body: job, headers: { Location: location, 'Retry-After': pollAfterSeconds, ...headers } }
}
