import type { Knex } from 'knex'
import { newId } from '../../../lib/ids.ts'
import { vectorBytes } from '../../../lib/store/search/vector-bytes.ts'

/** The same numbers for the same seed, 0 to 1 (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A random direction of 1536 dimensions, of which only the first few differ from zero: quick to make and compare. */
export function randomVector(random: () => number, places = 24): number[] {
  const vector = Array.from({ length: 1536 }, (_, at) => (at < places ? random() - 0.5 : 0))
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}

export type RawRow = {
  sourceType: 'goal' | 'task' | 'code_snapshot' | 'document'
  sourceId?: string
  chunk?: number
  ownerId: string
  courseId?: string | null
  scope: 'user' | 'course' | 'global'
  text: string
  vector: number[]
  model?: string
}

/** Writes rows of `embeddings` without the records they would be of. */
export async function insertRows(knex: Knex, rows: RawRow[]): Promise<void> {
  for (let from = 0; from < rows.length; from += 500) {
    const part = rows.slice(from, from + 500)
    const values = part.map(
      () =>
        `(?::uuid, ?, ?::uuid, ?::int, ?::uuid, ?::uuid, ?, '', ?, '', ?, ?::vector, chunk_tsv('goal', 'english', '', '', ?))`
    )
    await knex.raw(
      `insert into embeddings (id, source_type, source_id, chunk, owner_id, course_id, scope, title, content, content_hash,
        model, embedding, tsv) values ${values.join(', ')}`,
      part.flatMap((row) => [
        newId(),
        row.sourceType,
        row.sourceId ?? newId(),
        row.chunk ?? 0,
        row.ownerId,
        row.courseId ?? null,
        row.scope,
        row.text,
        row.model ?? 'test-model',
        vectorBytes(row.vector),
        row.text
      ]) as Knex.RawBinding[]
    )
  }
}
