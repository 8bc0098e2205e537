import OpenAI from 'openai'
import type { Budgets } from '../budgets/budgets.ts'
import type { Config } from '../config.ts'
import type { Logger } from '../logger.ts'
import type { Ledger } from '../store/money/ledger.ts'
import type { UsageTracker } from '../usage/tracker.ts'
import { createBookings } from './booking.ts'
import { type ChatAnswer, createChat } from './chat.ts'
import type { ChatCall } from './chat-request.ts'
import type { Dialect } from './dialect.ts'
import { withErrorBodies } from './error-bodies.ts'
import type { ProviderGuard } from './provider-guard.ts'
import { createEmbed, type EmbedAnswer, type EmbedCall } from './embed.ts'

export type { ChatAnswer } from './chat.ts'
export type { ChatCall, ChatMessage } from './chat-request.ts'
export type { EmbedAnswer, EmbedCall } from './embed.ts'

/** The one way to a model: tracked, priced, paid once. */
export type Models = {
  chatModel: string
  embeddingModel: string
  chat(call: ChatCall): Promise<ChatAnswer>
  embed(call: EmbedCall): Promise<EmbedAnswer>
}

/** The SDK's own retries are off: retries belong to the job. */
export function createOpenAi({
  apiKey,
  baseUrl,
  timeoutMs,
  fetch
}: {
  apiKey: string | undefined
  baseUrl: string | undefined
  timeoutMs: number
  fetch?: typeof globalThis.fetch | undefined
}): OpenAI {
  return new OpenAI({
    apiKey: apiKey ?? 'none',
    ...(baseUrl ? { baseURL: baseUrl } : {}),
    fetch: withErrorBodies(fetch ?? globalThis.fetch),
    maxRetries: 0,
    timeout: timeoutMs,
    // It would print the chunk of a stream that it cannot parse: users' text.
    logLevel: 'off'
  })
}

export function createModels({
  openai,
  config,
  tracker,
  ledger,
  budgets,
  guard,
  dialect,
  log,
  gatherMs
}: {
  openai: OpenAI
  config: Pick<Config, 'chatModel' | 'embeddingModel' | 'modelTimeoutMs'>
  tracker: UsageTracker
  ledger: Ledger
  budgets: Budgets
  guard: ProviderGuard
  dialect: Dialect
  log: Logger
  /** how long an embedding call waits for others to share its request */
  gatherMs?: number
}): Models {
  const common = {
    openai,
    tracker,
    ledger,
    bookings: createBookings({ ledger, budgets, log }),
    guard,
    dialect,
    timeoutMs: config.modelTimeoutMs
  }
  return {
    chatModel: config.chatModel,
    embeddingModel: config.embeddingModel,
    chat: createChat({ ...common, model: config.chatModel }),
    embed: createEmbed({ ...common, model: config.embeddingModel, ...(gatherMs === undefined ? {} : { gatherMs }) })
  }
}
