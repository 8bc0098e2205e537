import { ragInputSchema, ragResultSchema } from '../schemas/rag.ts'
import { defineAction } from './define-action.ts'
import { referencesIn } from './references.ts'
import { embeddingCost } from './worst-case.ts'

export const ragSearch = defineAction({
  name: 'rag_search',
  route: '/rag/search',
  summary: 'Search with one of the five retrieval tools',
  input: ragInputSchema,
  result: ragResultSchema,
  // 4,000 characters of text, however they are written
  bodyLimitBytes: 64 * 1024,
  rateLimit: { limitPerMinute: 50, burst: 1.5 },
  concurrency: 16,
  attempts: 'configured',
  worstCase(input, { referredBytes, prices }) {
    const query = 'query' in input ? input.query : undefined
    return embeddingCost(prices, query === undefined ? referredBytes : Buffer.byteLength(query))
  },
  references: (input) => referencesIn(input, 'courseId', 'goalId', 'taskId', 'codeSnapshotId')
})
