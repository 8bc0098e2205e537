import type OpenAI from 'openai'
import { z } from 'zod'
import { embeddingDimensions } from '../../lib/models/embedding-dimensions.ts'
import type { EmbeddingResult } from '../../lib/schemas/embedding.ts'
import type { JobView } from '../../lib/schemas/job.ts'
import { decodeVector } from '../../lib/vector-text.ts'
import type { Endpoint } from '../endpoint.ts'
import { failureOf } from './job-failure.ts'
import type { ModelNames } from './models.ts'
import type { ServeJob } from './serve-job.ts'
import { wireEndpoint } from './wire-endpoint.ts'
import { unsupportedParameter } from './wire-error.ts'

const textSchema = z.string().min(1, 'must not be an empty string')
const isToken = (value: unknown): boolean => typeof value === 'number' || Array.isArray(value)
const itemSchema = z
  .string({ error: ({ input }) => (isToken(input) ? 'must be a string: arrays of tokens are not taken' : undefined) })
  .min(1, 'must not be an empty string')

/** Unknown fields change nothing here, and are let be, as that API's clients expect. */
const requestSchema = z
  .object({
    model: z.string(),
    input: z.union([textSchema, z.array(itemSchema).min(1).max(2_048)]),
    encoding_format: z.enum(['float', 'base64']).default('float'),
    dimensions: z.int().min(1).optional(),
    user: z.string().optional()
  })
  .meta({ id: 'OpenAiEmbeddingRequest' })
type EmbeddingRequest = z.output<typeof requestSchema>

const answerSchema = z
  .object({
    object: z.literal('list'),
    model: z.string(),
    data: z.array(
      z.object({
        object: z.literal('embedding'),
        index: z.int(),
        embedding: z.union([z.array(z.number()), z.string()]).describe('base64 of little-endian 32-bit floats')
      })
    ),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() })
  })
  .meta({ id: 'OpenAiEmbeddings' })

/** Texts of a request: 2,048 of them, each of a page or less. */
const bodyLimit = { bodyLimitBytes: 4 * 1024 * 1024, bodyLimitValues: 20_000 }

/** `POST /v1/embeddings`: a job of `embedding_generation`. */
export function embeddingEndpoint({ models, serveJob }: { models: ModelNames; serveJob: ServeJob }): Endpoint {
  return wireEndpoint({
    method: 'post',
    path: '/embeddings',
    summary: 'Embed texts',
    limit: 'embedding_generation',
    body: requestSchema,
    ...bodyLimit,
    responses: { 200: { description: 'The vectors, in the order of the texts', schema: answerSchema } },
    async handler(request) {
      const { model, input, dimensions, encoding_format: encoding } = request.body
      models.expectEmbedding(model)
      if (dimensions !== undefined && dimensions !== embeddingDimensions) {
        throw unsupportedParameter('dimensions', `Vectors of this model have ${embeddingDimensions} dimensions.`)
      }
      const wanted = { action: 'embedding_generation', input: { texts: [input].flat() } } as const
      return await serveJob(request, wanted, async ({ ended }) => {
        const job = await ended()
        if (job.status !== 'completed') throw failureOf(job)
        return { status: 200, body: answerOf(job, encoding) }
      })
    }
  })
}

/** The SDK's types know of numbers alone, and decode base64 before anyone sees it. */
type Answer = Omit<OpenAI.CreateEmbeddingResponse, 'data'> & {
  data: (Omit<OpenAI.Embedding, 'embedding'> & { embedding: number[] | string })[]
}

function answerOf({ result, usage }: JobView, encoding: EmbeddingRequest['encoding_format']): Answer {
  const { model, embeddings = [] } = result as EmbeddingResult
  return {
    object: 'list',
    model,
    data: (embeddings as string[]).map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: encoding === 'base64' ? vector : decodeVector(vector)
    })),
    usage: { prompt_tokens: usage.promptTokens, total_tokens: usage.promptTokens }
  } satisfies Answer
}
