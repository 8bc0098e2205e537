import { readChatRequest } from './chat-request.ts'
import type { ChatCall, Draft } from './chat-types.ts'
import {
  choice,
  chunkEvent,
  completionObject,
  DONE,
  type Envelope,
  pieceDelta,
  roleDelta,
  type Usage
} from './chat-wire.ts'
import type { Json } from './check.ts'
import { type Completion, completionOf } from './completion.ts'
import type { Manner } from './manners/manner.ts'
import { readConversation } from './conversation.ts'
import { wireId } from './ids.ts'
import type { InvoiceLine } from './invoice.ts'
import { contextExceeded } from './models.ts'
import { promptTokens } from './prompt.ts'
import type { ScriptBox } from './scripts.ts'
import { ConnectionLost } from './transport.ts'
import type { Work } from './work.ts'

export type PreparedChat = { call: ChatCall; prompt: number[] }

/**
 * Reads and counts a chat request.
 * @throws {Refusal} when the API would refuse it
 */
export function prepareChat(body: Json): PreparedChat {
  const call = readChatRequest(body)
  const prompt = promptTokens(call)
  if (prompt.length > call.model.contextTokens) throw contextExceeded(call.model, prompt.length)
  return { call, prompt }
}

/**
 * Decides the whole answer; it costs nothing until its pieces are produced.
 * @param draft what is said when no script has another
 * @param change what becomes of it
 */
export function envelopeFor(
  { call, prompt }: PreparedChat,
  draft: Draft,
  scripts: ScriptBox,
  now: number,
  change: NonNullable<Manner['draft']> = (said) => said
): Envelope {
  const scripted = scripts.list().length > 0 ? scripts.take(readConversation(call)) : undefined
  const completion = completionOf(change(scripted ?? draft), call, prompt.length)
  return { id: wireId('chatcmpl-', 29), created: Math.floor(now / 1_000), call, completion }
}

/** Produces everything, then answers with one JSON body. */
export async function wholeChat(envelope: Envelope, work: Work): Promise<string> {
  const { call, completion } = envelope
  await think(completion, call, work)
  for (const piece of completion.pieces) {
    await work.pace.wait(piece.tokens)
    work.line.completionTokens += piece.tokens * call.n
  }
  return JSON.stringify(completionObject(envelope, usageOf(work.line)))
}

/** Produces the answer event by event; a piece is billed when it is handed over. */
export async function* streamedChat(envelope: Envelope, work: Work): AsyncGenerator<string> {
  const { call, completion } = envelope
  const indexes = Array.from({ length: call.n }, (_, index) => index)
  const { fault, line } = work
  const stopAfter =
    fault && 'afterChunks' in fault ? (fault.afterChunks ?? completion.pieces.length) : completion.pieces.length
  await think(completion, call, work)
  for (const index of indexes) yield chunkEvent(envelope, [choice(index, roleDelta(completion))], null)
  let sent = 0
  for (const piece of completion.pieces) {
    if (fault?.kind === 'cut' && sent >= stopAfter) break
    if (fault?.kind === 'no-finish' && sent >= stopAfter) break
    await work.pace.wait(piece.tokens)
    for (const index of indexes) {
      line.completionTokens += piece.tokens
      yield chunkEvent(envelope, [choice(index, pieceDelta(piece, completion))], null)
    }
    sent += 1
  }
  if (fault?.kind === 'cut') {
    line.cut = true
    if (fault.withUsage && call.includeUsage) yield chunkEvent(envelope, [], usageOf(line))
    throw new ConnectionLost()
  }
  if (fault?.kind === 'no-finish') {
    line.cut = true
    return
  }
  for (const index of indexes) yield chunkEvent(envelope, [choice(index, {}, completion.finishReason)], null)
  if (call.includeUsage) yield chunkEvent(envelope, [], usageOf(line))
  yield DONE
}

async function think({ reasoningTokens }: Completion, call: ChatCall, { pace, line }: Work): Promise<void> {
  if (reasoningTokens === 0) return
  await pace.wait(reasoningTokens)
  line.reasoningTokens += reasoningTokens * call.n
  line.completionTokens += reasoningTokens * call.n
}

function usageOf({ promptTokens: prompt, cachedTokens, completionTokens, reasoningTokens }: InvoiceLine): Usage {
  return { promptTokens: prompt, cachedTokens, completionTokens, reasoningTokens }
}
