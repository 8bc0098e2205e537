import type { Knex } from 'knex'
import { newId } from '../../ids.ts'
import type { Source, SourceKey } from './sources.ts'
import { vectorBytes } from './vector-bytes.ts'

export type EmbeddingStore = ReturnType<typeof createEmbeddingStore>

/** One chunk as it is to be stored. */
export type EmbeddingRow = {
  heading: string
  content: string
  /** sha256 of the embedded text */
  hash: Buffer
  vector: number[]
}

/** One chunk as it is stored, without its vector. */
export type StoredChunk = { id: string; chunk: number; heading: string; content: string; hash: Buffer }

/** Rows of one insert: a vector is 6 KB, and sending a megabyte holds up the event loop. */
const insertBatch = 32

/** Vectors of chunks. Searching them is `lib/store/search/embedding-search.ts`. */
export function createEmbeddingStore({ knex }: { knex: Knex }) {
  async function stored({ type, id }: SourceKey, model: string, db: Knex = knex): Promise<StoredChunk[]> {
    return await db('embeddings')
      .select('id', 'chunk', 'heading', 'content', { hash: 'content_hash' })
      .where({ source_type: type, source_id: id, model })
      .orderBy('chunk')
  }

  return {
    /** The chunks a record has: of this model, or before the first of these, of any. */
    async chunksOf(key: SourceKey, model: string): Promise<StoredChunk[]> {
      const own = await stored(key, model)
      if (own.length > 0) return own
      const other: { model: string } | undefined = await knex('embedded_sources')
        .select('model')
        .where({ source_type: key.type, source_id: key.id })
        .orderBy('embedded_at', 'desc')
        .first()
      return other ? await stored(key, other.model) : []
    },

    /** Which texts of records their vectors are of, by the record's id; nothing for those that have none. */
    async textHashes(keys: SourceKey[], model: string, db: Knex = knex): Promise<Map<string, Buffer>> {
      const rows: { source_id: string; text_hash: Buffer }[] = await db('embedded_sources')
        .select('source_id', 'text_hash')
        .where({ model })
        .whereRaw('(source_type, source_id) in (select * from unnest(?::text[], ?::uuid[]))', [
          keys.map(({ type }) => type),
          keys.map(({ id }) => id)
        ])
      return new Map(rows.map(({ source_id, text_hash }) => [source_id, text_hash]))
    },

    /**
     * Vectors that are stored for texts of the same owner, by the hash in hex. Another owner's are as good, but that
     * they exist is nobody else's business.
     */
    async vectorsByHash(ownerId: string, model: string, hashes: Buffer[]): Promise<Map<string, number[]>> {
      if (hashes.length === 0) return new Map()
      const { rows } = (await knex.raw(
        `select distinct on (content_hash) encode(content_hash, 'hex') as hash, embedding from embeddings
        where content_hash = any (?) and owner_id = ? and model = ?`,
        [hashes, ownerId, model]
      )) as { rows: { hash: string; embedding: number[] }[] }
      return new Map(rows.map(({ hash, embedding }) => [hash, embedding]))
    },

    /** The vectors of a record, in the order of its chunks. */
    async vectorsOf({ type, id }: SourceKey, model: string): Promise<number[][]> {
      const rows: { embedding: number[] }[] = await knex('embeddings')
        .select('embedding')
        .where({ source_type: type, source_id: id, model })
        .orderBy('chunk')
      return rows.map(({ embedding }) => embedding)
    },

    /**
     * Makes these the chunks of a record whose row is locked. Chunks that are stored at their place already stay as
     * they are. Vectors of other models go when they are of another text.
     */
    async replace(
      trx: Knex.Transaction,
      source: Source,
      model: string,
      { textHash, rows }: { textHash: Buffer; rows: EmbeddingRow[] }
    ): Promise<void> {
      const before = await stored(source, model, trx)
      const kept = new Set<number>()
      const gone: string[] = []
      for (const { id, chunk, heading, content, hash } of before) {
        const row = rows[chunk]
        if (row && row.hash.equals(hash) && row.heading === heading && row.content === content) kept.add(chunk)
        else gone.push(id)
      }
      const added = rows.map((row, chunk) => ({ row, chunk })).filter(({ chunk }) => !kept.has(chunk))
      if (gone.length > 0) await trx('embeddings').whereIn('id', gone).delete()
      const stale: { model: string }[] = await trx('embedded_sources')
        .where({ source_type: source.type, source_id: source.id })
        .whereNot({ model })
        .whereNot({ text_hash: textHash })
        .delete(['model'])
      if (stale.length > 0) {
        const models = stale.map((other) => other.model)
        await trx('embeddings')
          .where({ source_type: source.type, source_id: source.id })
          .whereIn('model', models)
          .delete()
      }
      for (let from = 0; from < added.length; from += insertBatch) {
        await insert(trx, source, model, added.slice(from, from + insertBatch))
      }
      const row = { source_type: source.type, source_id: source.id, model, text_hash: textHash, chunks: rows.length }
      await trx('embedded_sources')
        .insert({ ...row, embedded_at: trx.fn.now() })
        .onConflict(['source_type', 'source_id', 'model'])
        .merge()
      if (source.type === 'document') {
        await trx('documents').where({ id: source.id }).update({ chunks: rows.length, embedded_at: trx.fn.now() })
      }
    },

    /** Deletes vectors of other models than this, up to so many. Returns how many it deleted. */
    async pruneOthers(model: string, limit: number): Promise<number> {
      await knex('embedded_sources').whereNot({ model }).delete()
      return await knex('embeddings')
        .whereIn('id', knex('embeddings').select('id').whereNot({ model }).limit(limit))
        .delete()
    },

    /** Deletes the vectors of records, of every model. */
    async remove(trx: Knex.Transaction, type: Source['type'], ids: string[]): Promise<void> {
      if (ids.length === 0) return
      await trx('embeddings').where({ source_type: type }).whereIn('source_id', ids).delete()
      await trx('embedded_sources').where({ source_type: type }).whereIn('source_id', ids).delete()
    }
  }
}

/** Owner, course, scope, title and languages are the record's own, read in the same statement. */
async function insert(
  trx: Knex.Transaction,
  source: Source,
  model: string,
  rows: { row: EmbeddingRow; chunk: number }[]
): Promise<void> {
  const values = rows.map(() => '(?::uuid, ?::int, ?::text, ?::text, ?::bytea, ?::vector)').join(', ')
  const bindings = rows.flatMap(({ row, chunk }) => [
    newId(),
    chunk,
    row.heading,
    row.content,
    row.hash,
    vectorBytes(row.vector)
  ])
  await trx.raw(
    `insert into embeddings (id, source_type, source_id, chunk, owner_id, course_id, task_id, scope, title, heading,
      content, content_hash, language, subject, config, model, embedding, tsv)
    select r.id, s.source_type, s.source_id, r.chunk, s.owner_id, s.course_id, s.task_id, s.scope, s.title, r.heading,
      r.content, r.hash, s.language, s.subject, s.config, ?, r.vector,
      chunk_tsv(s.source_type, s.config, s.title, r.heading, r.content)
    from embedding_sources s, (values ${values}) as r(id, chunk, heading, content, hash, vector)
    where s.source_type = ? and s.source_id = ?`,
    [model, ...bindings, source.type, source.id]
  )
}
