import { codeLanguageNames } from './code-language.ts'
import { isScope, type Scope } from '../access/scope.ts'
import type { Logger } from '../logger.ts'
import type { RagHit, RagResult } from '../schemas/rag.ts'
import { createTurns } from '../sharing/turns.ts'
import {
  type EmbeddingSearch,
  keyOf,
  type SearchHit,
  type SearchQuery,
  type SearchResult
} from '../store/search/embedding-search.ts'

export type Retriever = ReturnType<typeof createRetriever>

/** A search without the model, which is the retriever's own: vectors of two models are never compared. */
export type Retrieval = Omit<SearchQuery, 'model' | 'languages'> & { language?: string | undefined }

/** Searches at once, and those of one person: a process has ten connections, and starting and ending jobs need some. */
const searchesAtOnce = 6
const searchesOfOwner = 3
/** Three statements, each with a limit of its own. */
const longestSearchMs = 70_000

/** The one door to the search, person by person in turn: takes a scope that `createScopes` made, and looks twice at what comes back. */
export function createRetriever({
  search,
  model,
  log
}: {
  search: EmbeddingSearch
  model: string
  log: Pick<Logger, 'error'>
}) {
  const turns = createTurns({
    name: 'searches',
    places: searchesAtOnce,
    placesOfOwner: searchesOfOwner,
    longestTurnMs: longestSearchMs
  })
  return {
    /**
     * One hit for each record, the best first.
     * @throws AppError `busy` when too many of the same person wait, or for too long
     */
    async find(scope: Scope, query: Retrieval): Promise<SearchResult> {
      if (!isScope(scope)) throw new TypeError('a search needs a scope')
      if (scope.kind === 'none') return { strategy: 'exact', hits: [] }
      return await turns.run(scope.userId, () => findNow(scope, query))
    }
  }

  async function findNow(scope: Scope, { language, ...query }: Retrieval): Promise<SearchResult> {
    const languages = language === undefined ? undefined : codeLanguageNames(language)
    const find = (phrases: string[]) => search.search(scope, { ...query, phrases, languages, model })
    const { phrases = [] } = query
    const asked = await find(phrases)
    // Quotation marks are not always meant so: a phrase that nobody wrote is better read as its words.
    const { strategy, hits } = asked.hits.length === 0 && phrases.length > 0 ? await find([]) : asked
    const allowed = await search.within(scope, hits)
    const kept = hits.filter((hit) => allowed.has(keyOf(hit)))
    // Records that were deleted or moved between the two looks are dropped as well, so this may be a race and no fault.
    if (kept.length < hits.length) {
      log.error({ scope: scope.kind, dropped: hits.length - kept.length }, 'hits outside of the scope were dropped')
    }
    return { strategy, hits: kept }
  }
}

/** A hit as it is shown: the passage under its headings. */
export function toRagHit({ sourceType, sourceId, title, heading, content, score, chunk }: SearchHit): RagHit {
  const body = [heading, content].filter(Boolean).join('\n\n') || title
  return { sourceType, sourceId, title, content: body, score, chunk }
}

export const toRagResult = ({ strategy, hits }: SearchResult): RagResult => ({ strategy, hits: hits.map(toRagHit) })
