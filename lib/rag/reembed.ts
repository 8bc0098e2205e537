import { JobError } from '../errors/job-error.ts'
import type { RunHere } from '../jobs/run-here.ts'
import type { EmbeddingStore } from '../store/search/embeddings.ts'
import type { Source, SourceStore } from '../store/search/sources.ts'
import type { Chunker } from './chunker.ts'
import { embedSource } from './embed-source.ts'
import { sourceHash } from './embedding-text.ts'
import type { Embedder } from './vectors.ts'

/** Records at once: their calls are gathered into few requests by the model client. */
const atOnce = 16
const pageSize = 200
/** Records in a row that a provider may refuse, before the first it takes, until the model is held to be at fault. */
const refusedAtFirst = 3
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
      const embedded = embedSource({ chunker, embeddings, models }, source, { owner: ownerId, signal })
      const { rows } = await embedded.catch((error: unknown) => {
        if (!signal.aborted) throw error
        throw new JobError('stopped', 'it was stopped before this record was done', { retryable: true, cause: error })
      })
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
     * @throws JobError as soon as it is known that the provider does not serve the model, or not as it is needed
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
      let done = 0
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
              done += 1
            } catch (error) {
              if (signal.aborted) return
              failed += 1
              if (done === 0 && (isAboutModel(error) || (isRefusal(error) && failed >= refusedAtFirst))) throw error
              onFailure(source, error)
            }
            // Alone until one has succeeded: what is wrong with the model is wrong with every record.
            if (isTrial && done > 0) return
          }
        }
        let isTrial = done === 0
        if (isTrial) await worker()
        isTrial = false
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

const isRefusal = (error: unknown): error is JobError =>
  error instanceof JobError && ['provider_refused', 'provider_malformed'].includes(error.code)

/** No price, an unknown model or one that the key may not use, vectors of another width: the same for every record. */
function isAboutModel(error: unknown): boolean {
  if (!(error instanceof JobError)) return false
  if (error.code === 'unknown_price' || error.code === 'provider_malformed') return true
  const status = (error.cause as { status?: unknown } | undefined)?.status
  return error.code === 'provider_refused' && [401, 403, 404].includes(Number(status))
}
