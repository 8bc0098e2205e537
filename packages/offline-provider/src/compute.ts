import { draftAnswer } from './answer.ts'
import { type PreparedChat, prepareChat } from './chat.ts'
import type { Draft } from './chat-types.ts'
import type { Json } from './check.ts'
import { readConversation } from './conversation.ts'
import { embeddingsBody } from './embeddings.ts'
import { type EmbeddingsCall, readEmbeddingsRequest } from './embeddings-request.ts'
import { type ErrorBody, Refusal } from './errors.ts'

export type Question = { kind: 'chat' | 'embeddings'; body: Json }

/** What a request comes to, but for the clock, the faults and the scripted completions. */
export type Computed =
  | { kind: 'chat'; prepared: PreparedChat; draft: Draft }
  | { kind: 'embeddings'; call: EmbeddingsCall; text: string }
  | { kind: 'refused'; status: number; error: ErrorBody }

/** Everything of an answer that takes time with the length of the request. Never throws a `Refusal`: threads send no classes. */
export function compute({ kind, body }: Question): Computed {
  try {
    if (kind === 'embeddings') {
      const call = readEmbeddingsRequest(body)
      return { kind, call, text: embeddingsBody(call) }
    }
    const prepared = prepareChat(body)
    return { kind, prepared, draft: draftAnswer(readConversation(prepared.call)) }
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refused', status: error.status, error: error.body }
    throw error
  }
}
