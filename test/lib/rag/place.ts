import { createOfflineProvider } from '@goals/offline-provider'
import type { TestFn } from 'ava'
import type { Knex } from 'knex'
import type { Actor } from '../../../lib/access/actor.ts'
import { newId } from '../../../lib/ids.ts'
import { createLogger } from '../../../lib/logger.ts'
import { createOpenAi } from '../../../lib/models/client.ts'
import { providerFailure } from '../../../lib/models/provider-error.ts'
import { createFreshness } from '../../../lib/rag/freshness.ts'
import { createRag, type Rag } from '../../../lib/rag/rag.ts'
import type { Embedder } from '../../../lib/rag/vectors.ts'
import { createRecords, type Records } from '../../../lib/records/records.ts'
import type { EmbeddingInput, EmbeddingResult } from '../../../lib/schemas/embedding.ts'
import { createEmbeddingStore } from '../../../lib/store/search/embeddings.ts'
import { createEventStore } from '../../../lib/store/events/events.ts'
import { createSourceStore, type SourceKey } from '../../../lib/store/search/sources.ts'
import { embeddingGenerationProcessor } from '../../../workers/processors/embedding-generation.ts'
import type { Effect, JobRun } from '../../../workers/processor.ts'
import { contextForFile, newUser, type TestContext } from '../../helpers/context.ts'
import { applyEffect } from '../../helpers/effect.ts'

const embeddingModel = 'offline-embedding-small'

/** The provider's embeddings without a ledger, and what it was asked for. */
export type CountedModels = Embedder & { asked: string[]; calls: { step: string; texts: string[] }[] }

export type RagPlace = {
  context: TestContext
  records: Records
  rag: Rag
  models: CountedModels
  newActor(role?: Actor['role']): Promise<Actor>
  /** One run of an embedding job, its effect not yet applied. */
  embedding(input: EmbeddingInput, job?: Partial<JobRun>): Promise<Effect>
  /** Runs all queued embedding jobs, as the workers would. Returns how many there were. */
  embedQueued(): Promise<number>
}

export function countedModels(): CountedModels {
  const provider = createOfflineProvider()
  const openai = createOpenAi({
    apiKey: undefined,
    baseUrl: 'http://offline.invalid/v1',
    timeoutMs: 20_000,
    fetch: provider.fetch
  })
  const calls: CountedModels['calls'] = []
  return {
    embeddingModel,
    calls,
    get asked() {
      return calls.flatMap(({ texts }) => texts)
    },
    async embed({ step, texts, signal }) {
      if (texts.length === 0) return { model: embeddingModel, vectors: [], reused: 0 }
      calls.push({ step, texts })
      const { data } = await openai.embeddings
        .create({ model: embeddingModel, input: texts }, { signal })
        .catch((error: unknown) => {
          throw providerFailure(error).error // as the client does
        })
      return { model: embeddingModel, vectors: data.map(({ embedding }) => embedding), reused: 0 }
    }
  }
}

/** Records whose texts are embedded by jobs, over a schema of the file's own. */
export function ragForFile(test: TestFn): () => RagPlace {
  const context = contextForFile(test)
  let place: RagPlace | undefined
  return () => {
    place ??= open(context())
    return place
  }
}

export const silent = createLogger({ level: 'silent', name: 'test' })

export function jobRun<Input>(userId: string, input: Input, more: Partial<JobRun> = {}): JobRun<Input> {
  return {
    id: newId(),
    user: { id: userId, role: 'user' },
    action: 'embedding_generation',
    origin: 'user',
    run: 1,
    threadId: null,
    signal: new AbortController().signal,
    log: silent,
    progress: () => {},
    partial: () => {},
    ...more,
    input
  }
}

/** A job's row without its place in Redis: these tests run the jobs themselves. */
async function queue(trx: Knex.Transaction, userId: string, source: SourceKey): Promise<void> {
  const job = { id: newId(), user_id: userId, action: 'embedding_generation', origin: 'system', max_attempts: 5 }
  await trx('jobs')
    .insert({ ...job, input: { source }, source_type: source.type, source_id: source.id })
    .onConflict()
    .ignore()
}

function open(context: TestContext): RagPlace {
  const { knex, transaction, events, jobStore } = context
  const models = countedModels()
  const records = createRecords({
    knex,
    transaction,
    events,
    eventStore: createEventStore({ knex }),
    texts: createFreshness({
      enqueue: async (trx, ...wanted) => {
        for (const { userId, source } of wanted) await queue(trx, userId, source)
      },
      sources: createSourceStore({ knex }),
      embeddings: createEmbeddingStore({ knex }),
      model: models.embeddingModel
    }),
    ownsJob: async (actor, id) => (await jobStore.find(id, actor.id)) !== undefined
  })
  const rag = createRag({ knex, access: records.access, models, log: silent })
  context.onClose(rag.close)
  const process = embeddingGenerationProcessor({
    ...rag,
    models,
    events,
    access: records.access,
    enqueue: (trx, { userId, source }) => queue(trx, userId, source)
  })

  return {
    context,
    records,
    rag,
    models,
    async newActor(role = 'user') {
      const id = await newUser(context, role)
      return { id, role, credential: { kind: 'session', id } }
    },
    embedding: async (input, job = {}) => await process(jobRun(job.user?.id ?? newId(), input, job)),
    async embedQueued() {
      const queued: { id: string; user_id: string; input: EmbeddingInput }[] = await knex('jobs')
        .where({ action: 'embedding_generation', status: 'queued' })
        .orderBy('id')
      for (const { id, user_id: userId, input } of queued) {
        await knex('jobs').where({ id }).update({ status: 'active' })
        const effect = await process(jobRun(userId, input, { id, origin: 'system' }))
        await transaction.transact(async (trx) => {
          const result = (await applyEffect(trx, effect)) as EmbeddingResult
          await trx('jobs').where({ id }).update({ status: 'completed', result })
        })
      }
      return queued.length
    }
  }
}
