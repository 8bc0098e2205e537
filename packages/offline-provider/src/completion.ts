import { tokenPieces } from '@goals/text'
import type { ChatCall, Draft } from './chat-types.ts'
import { wireId } from './ids.ts'

/** A step of producing an answer: some text of the content or of a tool call's arguments, and what it costs. */
export type Piece =
  | { target: 'content'; text: string; tokens: number }
  | { target: 'tool'; index: number; text: string; tokens: number }

export type Completion = {
  /** Tokens thought before the first piece; they are part of the completion's tokens. */
  reasoningTokens: number
  toolCalls: { id: string; name: string }[]
  hasContent: boolean
  pieces: Piece[]
  finishReason: 'stop' | 'length' | 'tool_calls'
}

/** Cuts a draft into pieces and holds it to `stop` and the token limit. */
export function completionOf(draft: Draft, call: ChatCall, promptTokens: number): Completion {
  const thought = reasoningFor(call, promptTokens)
  const reasoningTokens = Math.min(thought, call.maxTokens)
  const content = draft.content === null ? null : untilStop(draft.content, call.stop)
  const all: Piece[] = content === null ? [] : tokenPieces(content).map((piece) => ({ target: 'content', ...piece }))
  draft.toolCalls.forEach(({ name, arguments: given }, index) => {
    all.push({ target: 'tool', index, text: '', tokens: tokenPieces(name).length })
    for (const piece of tokenPieces(given)) all.push({ target: 'tool', index, ...piece })
  })
  const pieces = within(all, call.maxTokens - reasoningTokens)
  const cut = pieces.length < all.length
  return {
    reasoningTokens,
    toolCalls: draft.toolCalls.map(({ name }) => ({ id: wireId('call_', 24), name })),
    hasContent: content !== null,
    pieces,
    finishReason: cut ? 'length' : draft.toolCalls.length > 0 ? 'tool_calls' : 'stop'
  }
}

function within(pieces: readonly Piece[], limit: number): Piece[] {
  let tokens = 0
  const kept: Piece[] = []
  for (const piece of pieces) {
    tokens += piece.tokens
    if (tokens > limit) break
    kept.push(piece)
  }
  return kept
}

/** The text before the first of the stop sequences. */
function untilStop(text: string, stop: readonly string[]): string {
  const ends = stop
    .filter((mark) => mark !== '')
    .map((mark) => text.indexOf(mark))
    .filter((at) => at >= 0)
  return ends.length === 0 ? text : text.slice(0, Math.min(...ends))
}

const EFFORT_BLOCKS: Record<string, number> = { none: 0, minimal: 0, low: 1, medium: 4, high: 10, xhigh: 20 }

/** Reasoning counts in blocks of 64 tokens: by effort, and one more for each 512 tokens of the prompt. */
function reasoningFor(call: ChatCall, promptTokens: number): number {
  const blocks = EFFORT_BLOCKS[call.reasoningEffort ?? 'none'] ?? 0
  return blocks === 0 ? 0 : 64 * (blocks + Math.floor(promptTokens / 512))
}
