import type { Knex } from 'knex'
import type { SourceType } from '../schemas/sources.ts'
import type { EmbeddingStore } from '../store/embeddings.ts'
import type { SourceKey, SourceStore } from '../store/sources.ts'
import { sourceHash } from './embedding-text.ts'

export type Freshness = ReturnType<typeof createFreshness>

/**
 * Keeps vectors in step with the records, within the transactions that write these. What is not text (owner, course,
 * title, languages) follows by trigger (migration 022) and is none of its business.
 * @param enqueueAll queues the embeddings of records, once each however often it is called before the job starts
 * @param model whose vectors are to be current
 */
export function createFreshness({
  enqueueAll,
  sources,
  embeddings,
  model
}: {
  enqueueAll: (trx: Knex.Transaction, jobs: { userId: string; source: SourceKey }[]) => Promise<unknown>
  sources: SourceStore
  embeddings: EmbeddingStore
  model: string
}) {
  return {
    /** Records were created just now, so that there are no vectors to compare with: queues their embeddings. */
    async created(trx: Knex.Transaction, records: { type: SourceType; id: string; ownerId: string }[]): Promise<void> {
      await enqueueAll(
        trx,
        records.map(({ type, id, ownerId }) => ({ userId: ownerId, source: { type, id } }))
      )
    },

    /** A record was created or written: queues its embedding unless its vectors are of this very text already. */
    async changed(
      trx: Knex.Transaction,
      { type, id, ownerId }: { type: SourceType; id: string; ownerId: string }
    ): Promise<void> {
      const source = await sources.find({ type, id }, trx)
      if (!source) return
      const embedded = await embeddings.textHash({ type, id }, model, trx)
      if (embedded?.equals(sourceHash(source))) return
      await enqueueAll(trx, [{ userId: ownerId, source: { type, id } }])
    },

    /** Records are deleted: their vectors go in the same transaction. */
    async removed(trx: Knex.Transaction, type: SourceType, ids: string[]): Promise<void> {
      await embeddings.remove(trx, type, ids)
    }
  }
}
