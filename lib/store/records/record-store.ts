import type { Knex } from 'knex'
import type { z } from 'zod'
import { mark, prepare } from '../prepared.ts'
import { createRecordList, type ListOptions, type Some } from './record-list.ts'

/** For whom rows are read: whoever sees everything is an administrator. */
export type Viewer = { userId: string; seesAll: boolean }

/** Narrows a query on the table to what the viewer sees. */
export type Visible = (query: Knex.QueryBuilder, viewer: Viewer) => void

export type Listed<View> = { rows: View[]; hasMore: boolean }

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
  const plainColumns = fields.map(toColumn)
  const columns = plainColumns.map((column) => `${table}.${column}`)
  const shortColumns = fields.filter((field) => !isBulky.has(field)).map((field) => `${table}.${toColumn(field)}`)

  /** @param valueAt the value of the column in this place */
  function viewOf(valueAt: (place: number) => unknown): View {
    const view: Record<string, unknown> = {}
    fields.forEach((field, place) => {
      const value = valueAt(place)
      view[field] = value instanceof Date ? value.toISOString() : value
    })
    return view as View
  }

  const toView = (row: Record<string, unknown>): View => viewOf((place) => row[plainColumns[place] as string])
  const fromArray = (row: unknown[]): View => viewOf((place) => row[place])

  const toRow = (values: object): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(values)
        .filter(([, value]) => value !== undefined)
        .map(([field, value]) => [toColumn(field), value])
    )

  const bulkyColumns = (row: Some<View>) =>
    Object.fromEntries(bulky.map((field) => [toColumn(field), row[field] ?? null]))

  function seenBy(db: Knex, viewer: Viewer): Knex.QueryBuilder {
    const query = db(table)
    if (!viewer.seesAll) void query.where((where) => visible(where, viewer))
    return query
  }

  const select = (db: Knex, viewer: Viewer): Knex.QueryBuilder => seenBy(db, viewer).select(columns)
  const readPage = createRecordList({
    knex,
    table,
    columnOf: toColumn,
    columns: plainColumns,
    bulky: bulky.map(toColumn),
    seenBy
  })
  const prepareFind = (seesAll: boolean) =>
    prepare(select(knex, { userId: mark('viewer'), seesAll }).where(`${table}.id`, mark('id')))
  const findAny = prepareFind(true)
  const findSeen = prepareFind(false)

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
      const [row] = await (viewer.seesAll ? findAny : findSeen)(db, { id, viewer: viewer.userId })
      return row && fromArray(row)
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
    async list(viewer: Viewer, options: ListOptions<View>, db: Knex = knex): Promise<Listed<View>> {
      const { rows, hasMore } = await readPage(db, viewer, options)
      return { rows: rows.map(fromArray), hasMore }
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
