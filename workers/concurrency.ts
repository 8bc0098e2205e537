import type { AiAction } from '../lib/schemas/actions.ts'

/**
 * Jobs at once for each pool of a worker process: most wait for a provider, bulk ones work the database. Embeddings that
 * wait at the same time share a request.
 */
const defaults: Record<AiAction, number> = {
  embedding_generation: 64,
  chat_completion: 8,
  code_validation: 8,
  rag_search: 16,
  bulk_create: 2
}

export const concurrencyOf = (action: AiAction, configured: Partial<Record<AiAction, number>>): number =>
  configured[action] ?? defaults[action]
