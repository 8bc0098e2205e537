import type { Request } from 'express'
import { z } from 'zod'
import type { DeltaFeed } from '../../lib/events/delta-feed.ts'
import { passedParameters } from '../../lib/models/chat-request.ts'
import type { AgentTurn, PassedChat } from '../../lib/schemas/wire-chat.ts'
import type { Endpoint } from '../endpoint.ts'
import { answerOf } from './chat-answer.ts'
import {
  type ChatRequest,
  chatRequestSchema,
  conversationOf,
  refuseForAgent,
  refuseUnsupported
} from './chat-request.ts'
import { chunkWriter, completionOf, headOf } from './chat-wire.ts'
import { failureOf } from './job-failure.ts'
import type { AgentModel, ModelNames } from './models.ts'
import type { ServeJob } from './serve-job.ts'
import { streamChat } from './stream-chat.ts'
import { wireEndpoint } from './wire-endpoint.ts'

/** What an answer may have where its caller sets no limit, in tokens: as much as the usual models write at most. */
const usualMaxTokens = 16_384

const answerSchema = z
  .looseObject({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: z.int(),
    model: z.string(),
    choices: z.array(
      z.looseObject({ index: z.int(), message: z.looseObject({ role: z.string() }), finish_reason: z.string() })
    ),
    usage: z.looseObject({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() })
  })
  .meta({ id: 'OpenAiChatCompletion' })

/** `POST /v1/chat/completions`: a job of `chat_completion`. */
export function chatEndpoint({
  models,
  serveJob,
  deltas
}: {
  models: ModelNames
  serveJob: ServeJob
  deltas: Pick<DeltaFeed, 'follow'>
}): Endpoint {
  return wireEndpoint({
    method: 'post',
    path: '/chat/completions',
    summary: 'Ask the model, or an agent by its name; whole, or with `stream` as it is written',
    limit: 'chat_completion',
    body: chatRequestSchema,
    bodyLimitValues: 20_000,
    responses: {
      200: {
        description: 'The answer, or a stream of server-sent events that ends with `[DONE]`',
        schema: answerSchema
      }
    },
    async handler(request) {
      const { body, req, res } = request
      const { model, stream, stream_options: streamOptions, store } = body
      const agent = models.agentFor(model)
      refuseUnsupported(body)
      const input = agent ? turnFor(agent, body) : passedOf(body)
      const origin = originOf(req)
      const wanted = { action: 'chat_completion', input, outlivesClient: store === true } as const
      return await serveJob(request, wanted, async (served) => {
        const head = headOf(served.job, model)
        if (stream) {
          const chunks = chunkWriter(head, streamOptions?.include_usage === true)
          return await streamChat({ served, res, deltas, chunks, answerOf: (job) => answerOf(job, origin) })
        }
        const job = await served.ended()
        if (job.status !== 'completed') throw failureOf(job)
        return { status: 200, body: completionOf(head, answerOf(job, origin)) }
      })
    }
  })
}

const limitOf = ({ max_completion_tokens: current, max_tokens: old }: ChatRequest): number | undefined =>
  current ?? old ?? undefined

function passedOf(body: ChatRequest): PassedChat {
  const given = passedParameters.flatMap((name) => {
    const value = body[name]
    return value === undefined || value === null ? [] : [[name, value] as const]
  })
  return {
    messages: body.messages,
    parameters: Object.fromEntries(given),
    maxOutputTokens: limitOf(body) ?? usualMaxTokens
  }
}

function turnFor(agent: AgentModel, body: ChatRequest): AgentTurn {
  refuseForAgent(body)
  const limit = limitOf(body)
  return {
    agent,
    ...conversationOf(body.messages),
    ...(limit === undefined ? {} : { maxOutputTokens: Math.min(limit, usualMaxTokens) })
  }
}

/** As `TRUST_PROXY` lets it be known. */
const originOf = (req: Request): string => `${req.protocol}://${req.get('host') ?? 'localhost'}`
