import type { RagResult, RagToolArguments, RagToolName } from '../../schemas/rag.ts'
import type { EmbeddingStore } from '../../store/search/embeddings.ts'
import type { Source, SourceKey, SourceStore } from '../../store/search/sources.ts'
import { JobError } from '../../errors/job-error.ts'
import { parseQuery } from '../query-text.ts'
import type { Retrieval, Retriever } from '../retriever.ts'
import type { Scope } from '../../access/scope.ts'
import { type Embedder, meanVector } from '../vectors.ts'

export type ToolCall = {
  signal: AbortSignal
  /** name of the model call within its job, when one is needed; `query` unless told */
  step?: string
  /** what a hit has to have of the question to be given at all; any hit, when it is not said */
  least?: Relevance
}

/** Nearness is the cosine of question and passage, coverage the share of the question's words by weight: one is enough. */
export type Relevance = { nearness: number; coverage: number }

/** One signature for all five, for the search route and the agents alike. */
export type RagTool<N extends RagToolName> = (
  scope: Scope,
  args: RagToolArguments<N>,
  call: ToolCall
) => Promise<RagResult>

type Person = { id: string; role: 'user' | 'admin' }

/** The part of `lib/records/access.ts` that the tools ask. */
export type ReferenceAccess = {
  canSee(person: Person, record: { type: SourceKey['type'] | 'course'; id: string }): Promise<boolean>
}

export type ToolNeeds = {
  retriever: Retriever
  embeddings: EmbeddingStore
  sources: SourceStore
  access: ReferenceAccess
  models: Embedder
}

/** Words of a record that is searched by; more of them find the same. */
const likeChars = 4_000

/** A search for what a person typed: one tracked embedding call. */
export async function byText(models: Embedder, query: string, call: ToolCall): Promise<Partial<Retrieval>> {
  const { words, phrases, excluded } = parseQuery(query)
  const { vectors } = await models.embed({ step: call.step ?? 'query', texts: [words || query], signal: call.signal })
  return { vector: vectors[0], words, phrases, excluded }
}

/** A search for what is like a record: by its stored vectors, and only when there are none yet by a call with its text. */
export async function byRecord(
  { models, embeddings }: Pick<ToolNeeds, 'models' | 'embeddings'>,
  source: Source,
  call: ToolCall
): Promise<Partial<Retrieval>> {
  const words = `${source.title}\n${source.text}`.slice(0, likeChars)
  const stored = meanVector(await embeddings.vectorsOf(source, models.embeddingModel))
  if (stored) return { vector: stored, words }
  const { vectors } = await models.embed({ step: call.step ?? 'query', texts: [words], signal: call.signal })
  return { vector: vectors[0], words }
}

/**
 * The record an argument names.
 * @throws JobError `not_found` when it is gone or not for this person
 */
export async function referred(
  { access, sources }: Pick<ToolNeeds, 'access' | 'sources'>,
  scope: Scope,
  key: SourceKey
): Promise<Source> {
  const seen = await access.canSee({ id: scope.userId, role: scope.role }, key)
  const source = seen ? await sources.find(key) : undefined
  if (!source) {
    throw new JobError('not_found', `the ${key.type.replace('_', ' ')} was not found`, { retryable: false })
  }
  return source
}
