import type { z } from 'zod'
import type { Actor } from '../../lib/access/actor.ts'
import type { Jobs } from '../../lib/jobs/jobs.ts'
import type { AiAction } from '../../lib/schemas/actions.ts'
import { bulkInputSchema } from '../../lib/schemas/bulk.ts'
import { chatInputSchema } from '../../lib/schemas/chat.ts'
import { codeValidationInputSchema } from '../../lib/schemas/code-validation.ts'
import { embeddingInputSchema } from '../../lib/schemas/embedding.ts'
import { type JobView, jobSchema } from '../../lib/schemas/job.ts'
import { ragInputSchema } from '../../lib/schemas/rag.ts'
import { type AwaitJob, hasEnded } from '../await-job.ts'
import { type Endpoint, endpoint, type Reply } from '../endpoint.ts'
import { readIdempotency, type SerializeKey } from '../idempotency.ts'

/** Looks whether everything a valid body refers to can be seen by its sender. @throws AppError 422 naming the field */
export type CheckReferences = (actor: Actor, input: never) => Promise<void>

type Needs = {
  jobs: Jobs
  awaitJob: AwaitJob
  serializeKey: SerializeKey
  checks: Record<Exclude<AiAction, 'bulk_create'>, CheckReferences>
}

/** 32,000 and 4,000 characters of text, however they are written. */
const chatBodyBytes = 256 * 1024
const searchBodyBytes = 64 * 1024
const bulkBodyBytes = 10 * 1024 * 1024
/** Forty fields a record, where the largest has eight. */
const bulkBodyValues = 20_000
/** What a client that polls should wait at first. */
const pollAfterSeconds = '1'

/** The five submission routes: each checks its body, takes both tokens, commits a job and answers 202. */
export function aiEndpoints({ jobs, awaitJob, serializeKey, checks }: Needs): Endpoint[] {
  const submission = (
    path: string,
    action: AiAction,
    body: z.ZodType,
    summary: string,
    options: Pick<Endpoint, 'bodyLimitBytes' | 'bodyLimitValues' | 'checkLargeAs'> = {}
  ): Endpoint =>
    endpoint({
      method: 'post',
      path,
      summary,
      tag: 'AI actions',
      access: 'user',
      limit: action,
      body,
      ...options,
      responses: {
        202: { description: 'Accepted: the job', schema: jobSchema, headers: { Location: 'where the job is read' } },
        200: {
          description: 'The job has ended: after `Prefer: wait`, or a repeated `Idempotency-Key`',
          schema: jobSchema
        }
      },
      async around(input, proceed) {
        const { actor, req, res, signal, bodyHash, bodyDone } = input
        const submit = async () => {
          if (action !== 'bulk_create') await checks[action](actor, input.body as never)
          return await proceed()
        }
        const idempotency = readIdempotency(req, bodyHash)
        // A repetition is looked up first: what it referred to may have been deleted since.
        const reply = idempotency
          ? await serializeKey(
              actor.id,
              idempotency.key,
              async () => {
                const earlier = await jobs.replayOf(actor.id, idempotency)
                return earlier ? accepted(earlier) : await submit()
              },
              signal
            )
          : await submit()
        if (reply === 'streamed') return reply
        bodyDone() // so that whoever waits for the job holds no body meanwhile
        const submitted = reply.body as JobView
        const { job, headers } = await awaitJob({ actor, req, res }, submitted, (now) => jobs.find(now, submitted.id))
        return accepted(job, headers)
      },
      async handler({ actor, body, req, decision, bodyHash }) {
        const { threadId } = body as { threadId?: string }
        const { job } = await jobs.admit({
          actor,
          action,
          input: body,
          idempotency: readIdempotency(req, bodyHash),
          decision,
          ...(action === 'chat_completion' && threadId ? { threadId } : {})
        })
        return accepted(job)
      }
    })

  return [
    submission('/embeddings', 'embedding_generation', embeddingInputSchema, 'Embed texts, or a stored record'),
    submission('/chat', 'chat_completion', chatInputSchema, 'Ask an agent', { bodyLimitBytes: chatBodyBytes }),
    submission('/code-validations', 'code_validation', codeValidationInputSchema, 'Have code reviewed'),
    submission('/rag/search', 'rag_search', ragInputSchema, 'Search with one of the five retrieval tools', {
      bodyLimitBytes: searchBodyBytes
    }),
    submission('/bulk', 'bulk_create', bulkInputSchema, 'Create up to 500 records', {
      bodyLimitBytes: bulkBodyBytes,
      bodyLimitValues: bulkBodyValues,
      checkLargeAs: 'bulk'
    })
  ]
}

function accepted(job: JobView, headers: Record<string, string> = {}): Reply {
  const location = `/api/v1/jobs/${job.id}`
  return hasEnded(job)
    ? { status: 200, body: job, headers: { Location: location, ...headers } }
    : { status: 202, body: job, headers: { Location: location, 'Retry-After': pollAfterSeconds, ...headers } }
}
