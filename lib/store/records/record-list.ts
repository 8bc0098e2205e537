import type { Knex } from 'knex'
import { mark, type Prepared, prepare } from '../prepared.ts'
import type { Viewer } from './record-store.ts'

/** What an answer with a list may carry of large texts; the page ends early rather than exceed it. */
const maxPageBytes = 8 * 1024 * 1024

/** Some of the fields; one that is `undefined` is not meant. */
export type Some<View> = { [K in keyof View]?: View[K] | undefined }

export type ListOptions<View> = {
  limit: number
  /** id of the last record of the page before */
  cursor?: string | undefined
  /** fields that must be equal */
  filters?: Some<View>
  /** a further condition that equality cannot say: a text that is always the same, with its values */
  narrow?: { sql: string; values: readonly string[] }
}

type Conditions = Omit<ListOptions<object>, 'limit'> & { viewer: Viewer }

type Needs = {
  knex: Knex
  table: string
  columnOf: (field: string) => string
  /** all columns, in the order of the view's fields */
  columns: readonly string[]
  /** columns with long texts, which count towards the size of a page */
  bulky: readonly string[]
  /** the rows of the table that the viewer sees */
  seenBy: (db: Knex, viewer: Viewer) => Knex.QueryBuilder
}

/**
 * Reads a page of a table, the newest first, from below `cursor`, so that what is added meanwhile moves nothing.
 *
 * There is one prepared statement for each set of conditions. It leaves out the long texts of a row that takes more than
 * its even share of a page; when there is such a row, which is rare, a second one counts how far the page may go.
 *
 * @returns a function that reads a page: `rows` are arrays of the columns
 */
export function createRecordList({ knex, table, columnOf, columns, bulky, seenBy }: Needs) {
  const names = columns.map((column) => `${table}.${column}`)
  const isBulky = new Set(bulky)
  const bytes = bulky.map((column) => `coalesce(octet_length(${table}.${column}), 0)`).join(' + ') || '0'
  const lists = new Map<string, Prepared>()

  function meeting(db: Knex, { viewer, cursor, filters = {}, narrow }: Conditions): Knex.QueryBuilder {
    const query = seenBy(db, viewer)
    for (const [field, value] of Object.entries(filters)) {
      if (value !== undefined) void query.where({ [`${table}.${columnOf(field)}`]: value })
    }
    if (cursor !== undefined) void query.where(`${table}.id`, '<', cursor)
    if (narrow) void query.whereRaw(narrow.sql, narrow.values)
    return query.orderBy(`${table}.id`, 'desc')
  }

  /** @param marked the conditions with marks for values */
  function prepareList(marked: Conditions): Prepared {
    const isLarge = knex.raw(`${bytes} > ?`, [mark('share')])
    const selected = columns.map((column, i) =>
      isBulky.has(column) ? knex.raw('case when not (?) then ?? end', [isLarge, `${table}.${column}`]) : names[i]
    )
    const most = knex.raw('?', [mark('most')]) as unknown as number
    return prepare(meeting(knex, marked).select(selected).select(isLarge).limit(most))
  }

  async function countedPage(db: Knex, conditions: Conditions, limit: number) {
    const page = meeting(db, conditions)
      .select(names)
      .select(knex.raw(`${bytes} as bytes`))
      .limit(limit + 1)
    const measured = db
      .select(
        '*',
        db.raw('sum(bytes) over (order by id desc) as running_bytes'),
        db.raw('row_number() over (order by id desc) as place'),
        db.raw('count(*) over () as found')
      )
      .from(page.as('page'))
    const found = (await db
      .select('*')
      .from(measured.as('measured'))
      .where('place', '<=', limit)
      .where((where) => where.where('place', 1).orWhere('running_bytes', '<=', maxPageBytes))
      .orderBy('id', 'desc')) as Record<string, unknown>[]
    const rows = found.map((row) => columns.map((column) => row[column]))
    return { rows, hasMore: rows.length > 0 && Number(found[0]?.found) > rows.length }
  }

  return async (db: Knex, viewer: Viewer, { limit, cursor, filters = {}, narrow }: ListOptions<object>) => {
    const share = Math.floor(maxPageBytes / limit)
    const values: Record<string, unknown> = { viewer: viewer.userId, most: limit + 1, share, cursor }
    const marked: Record<string, unknown> = {}
    for (const [field, value] of Object.entries(filters)) {
      if (value === undefined) continue
      values[field] = value
      marked[field] = value === null ? null : mark(field)
    }
    narrow?.values.forEach((value, i) => {
      values[`narrow ${i}`] = value
    })
    const shape = `${viewer.seesAll} ${cursor !== undefined} ${narrow?.sql} ${JSON.stringify(marked)}`
    let list = lists.get(shape)
    if (!list) {
      list = prepareList({
        viewer: { ...viewer, userId: mark('viewer') },
        cursor: cursor === undefined ? undefined : mark('cursor'),
        filters: marked,
        ...(narrow ? { narrow: { sql: narrow.sql, values: narrow.values.map((_, i) => mark(`narrow ${i}`)) } } : {})
      })
      lists.set(shape, list)
    }
    const rows = await list(db, values)
    if (rows.some((row, i) => i < limit && row[columns.length] === true)) {
      return await countedPage(db, { viewer, cursor, filters, ...(narrow ? { narrow } : {}) }, limit)
    }
    return { rows: rows.slice(0, limit), hasMore: rows.length > limit }
  }
}
