import type { RunHere } from '../jobs/run-here.ts'
import type { EmbeddingStore } from '../store/embeddings.ts'
import type { Source, SourceStore } from '../store/sources.ts'
import type { Chunker } from './chunker.ts'
import { embedSource } from './embed-source.ts'
import { sourceHash } from './embedding-text.ts'
import type { Embedder } from './vectors.ts'

/** Records at once: their calls are gathered into few requests by the model client. */
const atOnce = 16
const pageSize = 200
const pruneBatch = 500

export type Reembed = ReturnType<typeof createReembed>

/**
 * Gives every record vectors of another model, beside those that searches use meanwhile. What is done is in the
 * database, so it can be stopped at any time and goes on where it was; an edited record is done again.
 * @param models the client of the new model
 * @param runHere runs each record as a job of its owner
 */
export function createReembed({
  sources,
  embeddings,
  chunker,
  models,
  runHere
}: {
  sources: SourceStore
  embeddings: EmbeddingStore
  chunker: Chunker
  models: Embedder
  runHere: RunHere
}) {
  const model = models.embeddingModel

  async function embedOne(source: Source, signal: AbortSignal): Promise<number> {
    const { type, id, ownerId } = source
    const textHash = sourceHash(source)
    const job = { userId: ownerId, action: 'embedding_generation', input: { source: { type, id } } } as const
    return await runHere(job, async () => {
      const { rows } = await embedSource({ chunker, embeddings, models }, source, { owner: ownerId, signal })
      return async (trx) => {
        const locked = await sources.lock(trx, source)
        if (!locked || !sourceHash(locked).equals(textHash)) return 0
        await embeddings.replace(trx, locked, model, { textHash, rows })
        return rows.length
      }
    })
  }

  return {
    /** Records that have no vectors of the new model. */
    left: (): Promise<number> => sources.countWithout(model),

    /**
     * Goes through all records that have none, until there are none left or the signal says to stop.
     * @param onDone is told after each record how many chunks it has now
     * @returns how many records could not be embedded because of what `onFailure` was told
     */
    async run({
      signal,
      onDone,
      onFailure
    }: {
      signal: AbortSignal
      onDone: (chunks: number) => void
      onFailure: (source: Source, error: unknown) => void
    }): Promise<number> {
      let failed = 0
      let after: string | undefined
      while (!signal.aborted) {
        const keys = await sources.without(model, { after, limit: pageSize })
        if (keys.length === 0) break
        after = keys.at(-1)?.id
        const waiting = keys.values()
        const worker = async () => {
          for (const key of waiting) {
            if (signal.aborted) return
            const source = await sources.find(key)
            if (!source) continue
            try {
              onDone(await embedOne(source, signal))
            } catch (error) {
              if (signal.aborted) return
              failed += 1
              onFailure(source, error)
            }
          }
        }
        await Promise.all(Array.from({ length: atOnce }, worker))
      }
      return failed
    },

    /**
     * Deletes the vectors of all other models, a few at a time.
     * @throws Error while there are records without vectors of this one
     */
    async prune({ signal, onDone }: { signal: AbortSignal; onDone: (chunks: number) => void }): Promise<void> {
      if ((await sources.countWithout(model)) > 0) {
        throw new Error(`some records have no vectors of ${model} yet: the others are still needed`)
      }
      while (!signal.aborted) {
        const deleted = await embeddings.pruneOthers(model, pruneBatch)
        if (deleted === 0) return
        onDone(deleted)
      }
    }
  }
}
