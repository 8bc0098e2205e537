import { bulkInputSchema, bulkResultSchema } from '../schemas/bulk.ts'
import { defineAction } from './define-action.ts'

export const bulkCreate = defineAction({
  name: 'bulk_create',
  route: '/bulk',
  summary: 'Create up to 500 records',
  input: bulkInputSchema,
  result: bulkResultSchema,
  bodyLimitBytes: 10 * 1024 * 1024,
  // forty fields a record, where the largest has eight
  bodyLimitValues: 20_000,
  checkLargeOnThread: true,
  rateLimit: { limitPerMinute: 5, burst: 1 },
  concurrency: 2,
  attempts: 'configured',
  // it calls no model: the vectors of what it creates are made by jobs of their own
  worstCase: () => 0n,
  // checked when the job runs: one that is wrong keeps none of the others away
  references: () => []
})
