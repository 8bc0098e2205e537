import type { AiAction } from '../schemas/actions.ts'
import type { ChatInput } from '../schemas/chat.ts'
import type { CodeValidationInput } from '../schemas/code-validation.ts'
import type { EmbeddingInput } from '../schemas/embedding.ts'
import { parseUsd, type PicoUsd, type TokenPrice } from '../money.ts'

/** Sizes in bytes of what a job's input only refers to. */
export type ReferredBytes = number

/** Instructions, schemas and a task's text around a reviewed source, in bytes; its answer and one repair, in tokens. */
const reviewFrameBytes = 24_000
const reviewAnswerTokens = 4_096
/** A first turn of a chat: instructions, passages and history, in bytes, and its answer. Later turns raise the reserve. */
const chatTurnBytes = 48_000
const chatAnswerTokens = 4_096

/**
 * What a job reserves of a budget when it is admitted: the worst case of its calls at list price, where input counts
 * as its bytes of UTF-8. A call that needs more asks for more before it is made, so this is never what bounds the
 * spending; it keeps a crowd of jobs from being admitted against money that is not there.
 */
export function reserveFor(
  action: AiAction,
  input: unknown,
  referredBytes: ReferredBytes,
  prices: { chat: TokenPrice; embedding: TokenPrice }
): PicoUsd {
  const embed = (bytes: number) => BigInt(bytes) * prices.embedding.input
  const chat = (bytes: number, tokens: number) =>
    BigInt(bytes) * prices.chat.input + BigInt(tokens) * prices.chat.output
  switch (action) {
    case 'embedding_generation': {
      const request = input as EmbeddingInput
      if ('source' in request) return embed(referredBytes)
      return embed([request.input].flat().reduce((sum, text) => sum + Buffer.byteLength(text), 0))
    }
    case 'rag_search': {
      const { query } = input as { query?: string }
      return embed(query === undefined ? referredBytes : Buffer.byteLength(query))
    }
    case 'code_validation': {
      const request = input as CodeValidationInput
      const bytes = 'source' in request ? Buffer.byteLength(request.source) : referredBytes
      return 2n * chat(2 * bytes + reviewFrameBytes, reviewAnswerTokens)
    }
    case 'chat_completion': {
      const { message, maxOutputTokens, maxCostUsd } = input as ChatInput
      if (maxCostUsd !== undefined) return parseUsd(maxCostUsd)
      return chat(chatTurnBytes + Buffer.byteLength(message), maxOutputTokens ?? chatAnswerTokens)
    }
    case 'bulk_create':
      return 0n
  }
}
