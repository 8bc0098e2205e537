import type { Knex } from 'knex'
import type { z } from 'zod'

/** For whom rows are read: whoever sees everything is an administrator. */
export type Viewer = { userId: string; seesAll: boolean }

/** Narrows a query on the table to what the viewer sees. */
export type Visible = (query: Knex.QueryBuilder, viewer: Viewer) => void

/** Some of the fields; one that is `undefined` is not meant. */
export type Some<View> = { [K in keyof View]?: View[K] | undefined }

export type Listed<View> = { rows: View[]; hasMore: boolean }

/** What an answer with a list may carry of large texts; the page ends early rather than exceed it. */
const maxPageBytes = 8 * 1024 * 1024

const toColumn = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

export type RecordStore<View extends { id: string }> = ReturnType<typeof createRecordStore<View>>

/**
 * The statements that all record tables share. A row comes out as the record's view, with the fields of its schema:
 * times as RFC 3339 in UTC.
 * @param schema the view; its fields are the columns, in camelCase
 * @param visible what a viewer who does not see everything sees
 * @param bulky fields with long texts, which count towards the size of a page
 */
export function createRecordStore<View extends { id: string }>({
  knex,
  table,
  schema,
  visible,
  bulky
}: {
  knex: Knex
  table: string
  schema: z.ZodObject
  visible: Visible
  bulky: readonly (keyof View & string)[]
}) {
  const fields = Object.keys(schema.shape)
  const isBulky = new Set<string>(bulky)
  const columns = fields.map((field) => `${table}.${toColumn(field)}`)
  const shortColumns = fields.filter((field) => !isBulky.has(field)).map((field) => `${table}.${toColumn(field)}`)
  const pageBytes = bulky.map((field) => `coalesce(octet_length(${toColumn(field)}), 0)`).join(' + ')

  const toView = (row: Record<string, unknown>): View =>
    Object.fromEntries(
      fields.map((field) => {
        const value = row[toColumn(field)]
        return [field, value instanceof Date ? value.toISOString() : value]
      })
    ) as View

  const toRow = (values: object): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(values)
        .filter(([, value]) => value !== undefined)
        .map(([field, value]) => [toColumn(field), value])
    )

  const bulkyColumns = (row: Some<View>) =>
    Object.fromEntries(bulky.map((field) => [toColumn(field), row[field] ?? null]))

  function select(db: Knex, viewer: Viewer): Knex.QueryBuilder {
    const query = db(table).select(columns)
    if (!viewer.seesAll) void query.where((where) => visible(where, viewer))
    return query
  }

  return {
    toView,

    /** Writes rows that have their ids. @returns them in the same order */
    async insert(trx: Knex.Transaction, rows: (Some<View> & { id: string })[]): Promise<View[]> {
      if (rows.length === 0) return []
      const written = new Map<string, Record<string, unknown>>()
      const returned = (await trx(table).insert(rows.map(toRow)).returning(shortColumns)) as Record<string, unknown>[]
      for (const row of returned) written.set(row.id as string, row)
      // Long texts are stored as they are: they need not come back.
      return rows.map((row) => toView({ ...written.get(row.id), ...bulkyColumns(row) }))
    },

    /** One row that the viewer sees. */
    async find(id: string, viewer: Viewer, db: Knex = knex): Promise<View | undefined> {
      const row = (await select(db, viewer).where(`${table}.id`, id).first()) as Record<string, unknown> | undefined
      return row && toView(row)
    },

    /**
     * Locks what the viewer sees of these, in order of their ids.
     * @param strength `update` before changing them; `key share` keeps them from being deleted while something refers to them
     * @returns by id, as they are now
     */
    async lock(
      trx: Knex.Transaction,
      ids: Iterable<string>,
      viewer: Viewer,
      strength: 'update' | 'key share' = 'update'
    ): Promise<Map<string, View>> {
      const wanted = [...new Set(ids)]
      if (wanted.length === 0) return new Map()
      const query = select(trx, viewer).whereIn(`${table}.id`, wanted).orderBy(`${table}.id`)
      const rows = (await (strength === 'update' ? query.forUpdate(table) : query.forKeyShare(table))) as Record<
        string,
        unknown
      >[]
      return new Map(rows.map(toView).map((view) => [view.id, view]))
    },

    /** The newest first, from below `cursor`, so that what is added meanwhile moves nothing. */
    async list(
      viewer: Viewer,
      { limit, cursor, filters, narrow }: ListOptions<View>,
      db: Knex = knex
    ): Promise<Listed<View>> {
      const page = select(db, viewer)
        .where(toRow(prefixed(table, filters)))
        .orderBy(`${table}.id`, 'desc')
        .limit(limit + 1)
      if (cursor !== undefined) void page.where(`${table}.id`, '<', cursor)
      if (narrow) void page.where(narrow)
      const measured = db
        .select(
          'page.*',
          db.raw(`sum(${pageBytes || '0'}) over (order by id desc) as running_bytes`),
          db.raw('row_number() over (order by id desc) as place'),
          db.raw('count(*) over () as found')
        )
        .from(page.as('page'))
      const rows = (await db
        .select('*')
        .from(measured.as('measured'))
        .where('place', '<=', limit)
        .where((where) => where.where('place', 1).orWhere('running_bytes', '<=', maxPageBytes))
        .orderBy('id', 'desc')) as Record<string, unknown>[]
      return { rows: rows.map(toView), hasMore: rows.length > 0 && Number(rows[0]?.found) > rows.length }
    },

    /** Changes one row and its `updated_at`. @returns it as it is now; `undefined` when it is gone */
    async update(trx: Knex.Transaction, id: string, changes: Some<View>): Promise<View | undefined> {
      const [row] = (await trx(table)
        .where({ id })
        .update({ ...toRow(changes), updated_at: trx.raw('clock_timestamp()') })
        .returning(columns)) as Record<string, unknown>[]
      return row && toView(row)
    },

    /** Deletes rows, and the names that bulk calls knew them by. */
    async remove(trx: Knex.Transaction, ids: string[]): Promise<void> {
      if (ids.length === 0) return
      await trx('client_ids').whereIn('record_id', ids).delete()
      await trx(table).whereIn('id', ids).delete()
    }
  }
}

export type ListOptions<View> = {
  limit: number
  /** id of the last record of the page before */
  cursor?: string | undefined
  /** fields that must be equal */
  filters?: Some<View>
  /** further conditions that equality cannot say */
  narrow?: (where: Knex.QueryBuilder) => void
}

const prefixed = (table: string, filters: object = {}): Record<string, unknown> =>
  Object.fromEntries(Object.entries(filters).map(([field, value]) => [`${table}.${field}`, value]))
