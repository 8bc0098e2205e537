import type { ChatCall } from './chat-types.ts'
import type { Completion, Piece } from './completion.ts'

/** Token counts as the wire format has them. */
export type Usage = { promptTokens: number; cachedTokens: number; completionTokens: number; reasoningTokens: number }

export type Envelope = { id: string; created: number; call: ChatCall; completion: Completion }

const FINGERPRINT = 'fp_offline'

function usageObject({ promptTokens, cachedTokens, completionTokens, reasoningTokens }: Usage) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0
    }
  }
}

/** The answer to a request that does not stream. */
export function completionObject({ id, created, call, completion }: Envelope, usage: Usage) {
  const { pieces, toolCalls, hasContent, finishReason } = completion
  const content = hasContent ? pieces.map((piece) => (piece.target === 'content' ? piece.text : '')).join('') : null
  const begun = toolCalls.filter((_, index) => pieces.some((piece) => piece.target === 'tool' && piece.index === index))
  const calls = begun.map(({ id: callId, name }, index) => ({
    id: callId,
    type: 'function',
    function: {
      name,
      arguments: pieces.map((piece) => (piece.target === 'tool' && piece.index === index ? piece.text : '')).join('')
    }
  }))
  return {
    id,
    object: 'chat.completion',
    created,
    model: call.model.id,
    choices: Array.from({ length: call.n }, (_, index) => ({
      index,
      message: {
        role: 'assistant',
        content,
        ...(calls.length > 0 ? { tool_calls: calls } : {}),
        refusal: null,
        annotations: []
      },
      logprobs: null,
      finish_reason: finishReason
    })),
    usage: usageObject(usage),
    service_tier: 'default',
    system_fingerprint: FINGERPRINT
  }
}

type Delta = Record<string, unknown>

/** One event of a stream; `usage` is null in every event but the last when the client asked for it. */
export function chunkEvent({ id, created, call }: Envelope, choices: readonly unknown[], usage: Usage | null): string {
  const chunk = {
    id,
    object: 'chat.completion.chunk',
    created,
    model: call.model.id,
    service_tier: 'default',
    system_fingerprint: FINGERPRINT,
    choices,
    ...(call.includeUsage ? { usage: usage && usageObject(usage) } : {})
  }
  return `data: ${JSON.stringify(chunk)}\n\n`
}

export function choice(index: number, delta: Delta, finishReason: string | null = null) {
  return { index, delta, logprobs: null, finish_reason: finishReason }
}

/** The first delta of a choice: the role, and empty content unless only tools are called. */
export function roleDelta({ hasContent }: Completion): Delta {
  return { role: 'assistant', content: hasContent ? '' : null, refusal: null }
}

export function pieceDelta(piece: Piece, { toolCalls }: Completion): Delta {
  if (piece.target === 'content') return { content: piece.text }
  const called = toolCalls[piece.index]
  if (piece.text !== '' || !called) return { tool_calls: [{ index: piece.index, function: { arguments: piece.text } }] }
  return {
    tool_calls: [
      { index: piece.index, id: called.id, type: 'function', function: { name: called.name, arguments: '' } }
    ]
  }
}

export const DONE = 'data: [DONE]\n\n'
