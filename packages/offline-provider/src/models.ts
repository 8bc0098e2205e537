import { badRequest, modelNotFound, Refusal } from './errors.ts'

export type ModelInfo = {
  id: string
  kind: 'chat' | 'embedding'
  contextTokens: number
  maxCompletionTokens: number
  reasons: boolean
}

const chat = { kind: 'chat', contextTokens: 128_000, maxCompletionTokens: 16_384, reasons: false } as const

/** Every model the provider serves. The names begin with `offline-` so that nobody takes them for more. */
export const offlineModels: readonly ModelInfo[] = [
  { id: 'offline-chat-mini', ...chat },
  { id: 'offline-chat', ...chat },
  { id: 'offline-reasoner', ...chat, reasons: true },
  { id: 'offline-embedding-small', kind: 'embedding', contextTokens: 8_192, maxCompletionTokens: 0, reasons: false }
]

/** When these models came to be, as `GET /v1/models` tells it: 2026-01-01, in seconds. */
const CREATED = 1_767_225_600

export function chatModel(id: string): ModelInfo {
  const model = findModel(id)
  if (model.kind === 'chat') return model
  const message =
    'This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use v1/embeddings?'
  throw new Refusal(404, { message, type: 'invalid_request_error', param: 'model', code: null })
}

export function embeddingModel(id: string): ModelInfo {
  const model = findModel(id)
  if (model.kind === 'embedding') return model
  const message = 'You are not allowed to generate embeddings from this model'
  throw new Refusal(403, { message, type: 'invalid_request_error', param: null, code: null })
}

export function modelObject(model: ModelInfo) {
  return { id: model.id, object: 'model', created: CREATED, owned_by: 'offline' }
}

export function findModel(id: string): ModelInfo {
  const model = offlineModels.find((known) => known.id === id)
  if (!model) throw modelNotFound(id)
  return model
}

export function contextExceeded(model: ModelInfo, tokens: number): Refusal {
  if (model.kind === 'embedding') {
    return badRequest(
      `This model's maximum context length is ${model.contextTokens} tokens, however you requested ${tokens} tokens ` +
        `(${tokens} in your prompt; 0 for the completion). Please reduce your prompt; or completion length.`
    )
  }
  return badRequest(
    `This model's maximum context length is ${model.contextTokens} tokens. However, your messages resulted in ` +
      `${tokens} tokens. Please reduce the length of the messages.`,
    'messages',
    'context_length_exceeded'
  )
}
