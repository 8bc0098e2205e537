import type { Knex } from 'knex'
import type { EventLog } from '../../lib/events/log.ts'
import { JobError } from '../../lib/errors/job-error.ts'
import { embeddingDimensions } from '../../lib/models/embedding-dimensions.ts'
import { countTokensInTurns } from '../../lib/models/tokens.ts'
import { encodeVector } from '../../lib/vector-text.ts'
import type { Chunker } from '../../lib/rag/chunker.ts'
import { embedSource } from '../../lib/rag/embed-source.ts'
import { sourceHash } from '../../lib/rag/embedding-text.ts'
import type { ReferenceAccess } from '../../lib/rag/tools/tool.ts'
import { type Embedder, embedAll } from '../../lib/rag/vectors.ts'
import type { EmbeddingResult } from '../../lib/schemas/embedding.ts'
import type { EmbeddingRow, EmbeddingStore } from '../../lib/store/search/embeddings.ts'
import type { Source, SourceKey, SourceStore } from '../../lib/store/search/sources.ts'
import type { Effect, JobRun, ProcessorOf } from '../processor.ts'

type Needs = {
  models: Embedder
  chunker: Chunker
  sources: SourceStore
  embeddings: EmbeddingStore
  events: EventLog
  access: ReferenceAccess
  /** queues making a record's vectors current, unless a job for it waits */
  enqueue(trx: Knex.Transaction, wanted: { userId: string; source: SourceKey }): Promise<void>
}

/** Rows that are written within a few hundred milliseconds: about 5 ms each in the index (HNSW). */
const fewRows = 64

/** What OpenAI's embedding models take in one text (its API reference). */
const usualTokens = 8_192

/**
 * Texts become vectors; a record's vectors become current. Safe to run twice: chunks whose vector is stored cost
 * nothing, and the record is read again, locked, when the vectors are written.
 */
export function embeddingGenerationProcessor(needs: Needs): ProcessorOf<'embedding_generation'> {
  return async (run) => {
    if ('texts' in run.input) return await embedTexts(needs, run, { input: run.input.texts, encoding: 'base64' })
    if ('input' in run.input) return await embedTexts(needs, run, run.input)
    return await embedRecord(needs, run, run.input.source)
  }
}

async function embedTexts(
  { models }: Needs,
  run: JobRun,
  { input, encoding }: { input: string | string[]; encoding?: 'float' | 'base64' | undefined }
): Promise<Effect<EmbeddingResult>> {
  const texts = [input].flat()
  const { vectors, reused } = await embedAll(models, texts, {
    step: 'embed',
    signal: run.signal,
    onProgress: (done) => run.progress(done, texts.length)
  }).catch(async (error: unknown) => {
    throw (await tooLong(texts, error, run.signal)) ?? error
  })
  const result: EmbeddingResult = {
    model: models.embeddingModel,
    dimensions: embeddingDimensions,
    embeddings: encoding === 'base64' ? vectors.map(encodeVector) : vectors,
    reused
  }
  return { result }
}

/** Providers refuse a text that is too long without saying which: the longest is named when it is over the usual limit. */
async function tooLong(texts: string[], error: unknown, signal: AbortSignal): Promise<JobError | undefined> {
  if (!(error instanceof JobError) || error.code !== 'provider_refused') return undefined
  const longest = texts.reduce((best, text, index) => (text.length > (texts[best] as string).length ? index : best), 0)
  const [tokens = 0] = await countTokensInTurns([texts[longest] as string], signal)
  if (tokens <= usualTokens) return undefined
  const message = `${error.message}: text ${longest + 1} of ${texts.length} has about ${tokens} tokens, most models take ${usualTokens}`
  return new JobError('input_too_long', message, { retryable: false, cause: error })
}

async function embedRecord(needs: Needs, run: JobRun, key: SourceKey): Promise<Effect<EmbeddingResult>> {
  const source = await needs.sources.find(key)
  if (!source || !(await mayEmbed(needs, run, source))) return gone(run, needs.models.embeddingModel)
  const { rows, reused } = await embedSource(needs, source, {
    owner: run.user.id,
    signal: run.signal,
    onProgress: (done, total) => run.progress(done, total)
  })
  return Object.assign(write(needs, run, source, rows, reused), { isLarge: rows.length > fewRows })
}

/** Jobs of the platform's own are for whatever was written; a person's for what they see. */
async function mayEmbed({ access }: Needs, run: JobRun, { type, id }: Source): Promise<boolean> {
  return run.origin === 'system' || (await access.canSee(run.user, { type, id }))
}

/** A record that was deleted before its turn came has nothing to be embedded; a person who asked for it is told. */
function gone(run: JobRun, model: string): Effect<EmbeddingResult> {
  if (run.origin === 'user') throw new JobError('not_found', 'the record was not found', { retryable: false })
  return { result: goneResult(model) }
}

const goneResult = (model: string): EmbeddingResult => ({
  model,
  dimensions: embeddingDimensions,
  chunks: 0,
  reused: 0
})

function write(
  { embeddings, enqueue, events, models, sources }: Needs,
  run: JobRun,
  read: Source,
  rows: EmbeddingRow[],
  reused: number
): Effect<EmbeddingResult> {
  return async (trx): Promise<EmbeddingResult> => {
    const model = models.embeddingModel
    const source = await sources.lock(trx, read)
    if (!source) {
      gone(run, model)
      return goneResult(model)
    }
    const textHash = sourceHash(source)
    if (!textHash.equals(sourceHash(read))) {
      // Whoever changed the text found this job still queued and relied on it, or has queued another: then that one is
      // enough.
      await enqueue(trx, { userId: run.user.id, source: { type: source.type, id: source.id } })
      run.log.info({ sourceType: source.type, sourceId: source.id }, 'the text changed while it was embedded')
      return { model, dimensions: embeddingDimensions, chunks: rows.length, reused }
    }
    await embeddings.replace(trx, source, model, { textHash, rows })
    await events.append(trx, {
      type: `${source.type}.embedded`,
      userId: source.ownerId,
      subject: source.id,
      data: { id: source.id, model, chunks: rows.length, reused },
      channels: channelsOf(source)
    })
    return { model, dimensions: embeddingDimensions, chunks: rows.length, reused }
  }
}

/** The channels that all events of such a record go to. */
function channelsOf({ type, id, goalId, taskId, courseId }: Source): string[] {
  if (type === 'document') return courseId ? [`course:${courseId}`] : []
  if (type === 'goal') return [`goal:${id}`]
  if (type === 'task') return [`task:${id}`, `goal:${goalId}`]
  return taskId ? [`task:${taskId}`] : []
}
