import type { Knex } from 'knex'
import type { Scope } from '../../access/scope.ts'
import type { SourceType } from '../../schemas/sources.ts'
import { vectorBytes } from './vector-bytes.ts'

export type EmbeddingSearch = ReturnType<typeof createEmbeddingSearch>

export type SearchQuery = {
  model: string
  /** nearest to this; without it words alone find */
  vector?: number[] | undefined
  /** any of these; without them the vector alone finds */
  words?: string | undefined
  phrases?: string[]
  excluded?: string[]
  types?: readonly SourceType[] | undefined
  courseId?: string | undefined
  taskIds?: readonly string[] | undefined
  /** names of languages: programming languages of code and of courses, or natural ones */
  languages?: readonly string[] | undefined
  /** a record that is not to be found */
  notSourceId?: string | undefined
  limit: number
  /** scopes of up to this many chunks are searched exactly */
  exactRows?: number | undefined
  weights?: { vector: number; words: number }
}

export type SearchHit = {
  sourceType: SourceType
  sourceId: string
  chunk: number
  ownerId: string
  title: string
  heading: string
  content: string
  /** 0 to 1, falling with the rank */
  score: number
  /** place in each half, from 1; `null` when it was not found there */
  vectorRank: number | null
  wordsRank: number | null
  /** cosine of the angle to the query */
  nearness: number | null
  /** share of the query's words that it has, by their weight */
  coverage: number | null
}

export type SearchResult = { strategy: 'exact' | 'hnsw'; hits: SearchHit[] }

/**
 * Reading 5,000 vectors takes about as long as walking the index for a narrow scope, and finds all there is
 * (`npm run bench:search`).
 */
const defaultExactRows = 5_000

/** What one look may take: longer than any of ours at millions of chunks, and short enough to free its connection. */
const longestLookMs = 20_000

/** Words count twice as much as nearness where a hit has them all, and as much where it has half of them. */
const defaultWeights = { vector: 1, words: 2 }

type Row = {
  strategy: 'exact' | 'hnsw'
  source_type: SourceType
  source_id: string
  chunk: number
  owner_id: string
  title: string
  heading: string
  content: string
  score: number
  vector_rank: number | null
  words_rank: number | null
  nearness: number | null
  coverage: number | null
}

/** The two statements of a search: the SQL function that takes the scope, and a second look at whose the hits are. */
export function createEmbeddingSearch({ knex }: { knex: Knex }) {
  return {
    /** One hit for each record, its best chunk, the best first. A scope that holds nothing finds nothing. */
    async search(scope: Scope, query: SearchQuery): Promise<SearchResult> {
      const { vector: vectorWeight, words: wordsWeight } = query.weights ?? defaultWeights
      const { rows } = (await knex
        .raw(
          `select * from search_embeddings(?, ?::uuid, ?::uuid, ?, ?::vector, ?, ?::text[], ?::text[], ?::text[], ?::uuid,
          ?::uuid[], ?::text[], ?::uuid, ?, ?, ?, ?)`,
          [
            scope.kind,
            scope.userId,
            scope.kind === 'course' ? scope.courseId : null,
            query.model,
            query.vector ? vectorBytes(query.vector) : null,
            query.words || null,
            query.phrases ?? [],
            query.excluded ?? [],
            query.types ? [...query.types] : null,
            query.courseId ?? null,
            query.taskIds ? [...query.taskIds] : null,
            query.languages ? [...query.languages] : null,
            query.notSourceId ?? null,
            query.limit,
            query.exactRows ?? defaultExactRows,
            vectorWeight,
            wordsWeight
          ] as Knex.RawBinding[]
        )
        .timeout(longestLookMs, { cancel: true })) as { rows: Row[] }
      return { strategy: rows[0]?.strategy ?? 'exact', hits: rows.map(toHit) }
    },

    /**
     * Of these hits, the keys of those that the records themselves, not their vectors, place within the scope.
     * Written apart from the search on purpose: what one gets wrong the other holds back.
     */
    async within(scope: Scope, hits: { sourceType: SourceType; sourceId: string }[]): Promise<Set<string>> {
      if (hits.length === 0 || scope.kind === 'none') return new Set()
      const condition = {
        user: 's.owner_id = :userId',
        course: `s.course_id = :courseId and (s.source_type = 'document' or s.owner_id = :userId)
          and sees_course(:userId, s.course_id)`,
        global: `s.source_type = 'document' and (s.course_id is null
          or exists (select 1 from courses c where c.id = s.course_id and c.visibility = 'public'))`
      }[scope.kind]
      const { rows } = (await knex.raw(
        `select s.source_type as "sourceType", s.source_id as "sourceId"
        from unnest(:types::text[], :ids::uuid[]) as h(type, id)
        join embedding_sources s on s.source_type = h.type and s.source_id = h.id
        where ${condition}`,
        {
          types: hits.map(({ sourceType }) => sourceType),
          ids: hits.map(({ sourceId }) => sourceId),
          userId: scope.userId,
          ...(scope.kind === 'course' ? { courseId: scope.courseId } : {})
        }
      )) as { rows: { sourceType: SourceType; sourceId: string }[] }
      return new Set(rows.map(keyOf))
    }
  }
}

export const keyOf = ({ sourceType, sourceId }: { sourceType: SourceType; sourceId: string }): string =>
  `${sourceType}:${sourceId}`

const toHit = (row: Row): SearchHit => ({
  sourceType: row.source_type,
  sourceId: row.source_id,
  chunk: row.chunk,
  ownerId: row.owner_id,
  title: row.title,
  heading: row.heading,
  content: row.content,
  score: row.score,
  vectorRank: row.vector_rank,
  wordsRank: row.words_rank,
  nearness: row.nearness,
  coverage: row.coverage
})
