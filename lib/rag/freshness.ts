import type { Knex } from 'knex'
import type { SourceType } from '../schemas/sources.ts'
import type { EmbeddingStore } from '../store/search/embeddings.ts'
import type { SourceKey, SourceStore } from '../store/search/sources.ts'
import { sourceHash } from './embedding-text.ts'

/**
 * Keeps vectors in step with the records, within the transactions that write these. What is not text (owner, course,
 * title, languages) follows by trigger (migration 022) and is none of its business.
 * @param enqueue queues the embeddings of records, once each however often it is called before the job starts
 * @param model whose vectors are to be current
 */
export function createFreshness({
  enqueue,
  sources,
  embeddings,
  model
}: {
  enqueue: (trx: Knex.Transaction, ...jobs: { userId: string; source: SourceKey }[]) => Promise<unknown>
  sources: SourceStore
  embeddings: EmbeddingStore
  model: string
}) {
  return {
    /**
     * Records were created or written: queues the embeddings of those whose vectors are not of this very text already.
     * In few statements, however many they are.
     */
    async changed(
      trx: Knex.Transaction,
      ...records: { type: SourceType; id: string; ownerId: string }[]
    ): Promise<void> {
      const embedded = await embeddings.textHashes(records, model, trx)
      const stale: { userId: string; source: SourceKey }[] = []
      for (const { type, id, ownerId } of records) {
        const hash = embedded.get(id)
        if (hash) {
          const source = await sources.find({ type, id }, trx)
          if (!source || hash.equals(sourceHash(source))) continue
        }
        stale.push({ userId: ownerId, source: { type, id } })
      }
      if (stale.length > 0) await enqueue(trx, ...stale)
    },

    /** Records are deleted: their vectors go in the same transaction. */
    async removed(trx: Knex.Transaction, type: SourceType, ids: string[]): Promise<void> {
      await embeddings.remove(trx, type, ids)
    }
  }
}
