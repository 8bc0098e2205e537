import { embeddingInputSchema, embeddingJobSchema, embeddingResultSchema } from '../schemas/embedding.ts'
import { defineAction } from './define-action.ts'
import { embeddingCost } from './worst-case.ts'

export const embeddingGeneration = defineAction({
  name: 'embedding_generation',
  route: '/embeddings',
  summary: 'Embed texts, or a stored record',
  input: embeddingInputSchema,
  stored: embeddingJobSchema,
  result: embeddingResultSchema,
  rateLimit: { limitPerMinute: 20, burst: 1.2 },
  // those that wait at the same time share a request
  concurrency: 64,
  attempts: 'configured',
  worstCase(input, { referredBytes, prices }) {
    if ('source' in input) return embeddingCost(prices, referredBytes)
    const texts = 'texts' in input ? input.texts : [input.input].flat()
    return embeddingCost(
      prices,
      texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    )
  },
  references: (input) =>
    'source' in input ? [{ field: 'source.id', ...input.source, refusal: 'is not a record you can see' }] : []
})
