import type { ActionDefinition } from '../../lib/actions/define-action.ts'
import { type AiAction, actionOf, aiActions } from '../../lib/actions/actions.ts'
import type { Jobs } from '../../lib/jobs/jobs.ts'
import type { CheckReferences } from '../../lib/records/references.ts'
import { type JobView, jobSchema } from '../../lib/schemas/job.ts'
import { type AwaitJob, hasEnded } from '../await-job.ts'
import { type Endpoint, type EndpointInput, endpoint, type Reply } from '../endpoint.ts'
import { type Idempotency, readIdempotency, type SerializeKey } from '../idempotency.ts'

type Needs = {
  jobs: Jobs
  awaitJob: AwaitJob
  serializeKey: SerializeKey
  checkReferences: CheckReferences
}

/** What a client that polls should wait at first. */
const pollAfterSeconds = '1'

/** The submission route of each AI action: it checks its body, takes both tokens, commits a job and answers 202. */
export function aiEndpoints(needs: Needs): Endpoint[] {
  return aiActions.map((action) => submission(needs, actionOf(action)))
}

function submission(
  { jobs, awaitJob, serializeKey, checkReferences }: Needs,
  definition: ActionDefinition<AiAction>
): Endpoint {
  const { name: action, route, summary, input: body, bodyLimitBytes, bodyLimitValues } = definition

  /** Makes the job, which costs the action's token. */
  async function submit(input: EndpointInput, idempotency: Idempotency | undefined): Promise<JobView> {
    await checkReferences(input.actor, definition.references(input.body))
    const decision = await input.takeToken()
    const threadId = definition.threadOf?.(input.body)
    return (await jobs.admit({ actor: input.actor, action, input: input.body, idempotency, decision, threadId })).job
  }

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
      const { actor, req, res, signal } = input
      const idempotency = readIdempotency(req, input.bodyHash)
      // A repetition is looked up first: what it referred to may have been deleted since.
      const submitted = idempotency
        ? await serializeKey(
            actor.id,
            idempotency.key,
            async () => (await jobs.replayOf(actor.id, idempotency)) ?? (await submit(input, idempotency)),
            signal
          )
        : await submit(input, undefined)
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
