import { createHash } from 'node:crypto'
import type { Knex } from 'knex'
import pg from 'pg'

/** `timestamptz` (PostgreSQL's catalogue, pg_type) */
const timestampOid = 1184

/**
 * A time as RFC 3339 in UTC to the millisecond, cut off and not rounded, as `Date` has it. The text of a session at UTC
 * ("2026-12-01 04:15:03.123456+00") is only put together anew; whatever else it may be goes by the usual parser.
 */
function timeText(text: string): unknown {
  if (text.length <= 29 && text[10] === ' ' && text.endsWith('+00')) {
    const fraction = text.slice(20, -3)
    return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.padEnd(3, '0').slice(0, 3)}Z`
  }
  const time: unknown = pg.types.getTypeParser(timestampOid)(text)
  return time instanceof Date ? time.toISOString() : time
}

const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === timestampOid && format !== 'binary' ? timeText : pg.types.getTypeParser(oid, format ?? 'text')
}

/** Stands for a value of a query that is to be prepared; whatever else the query compares with is always the same. */
export const mark = (name: string): string => `:${name}`

const nameOf = (binding: unknown): string | undefined =>
  typeof binding === 'string' && binding.startsWith(':') ? binding.slice(1) : undefined

export type Prepared = (db: Knex, values: Record<string, unknown>) => Promise<unknown[][]>

/**
 * A statement that each connection parses and plans once (PostgreSQL's manual, PREPARE), under a name made of its text.
 * It names its columns: what `*` means may change while connections live.
 * @param query with marks in place of values; it is not run itself
 * @returns runs it with the values of its marks; rows as arrays, times as RFC 3339 in UTC
 */
export function prepare(query: Knex.QueryBuilder): Prepared {
  const { sql, bindings } = query.toSQL().toNative()
  const name = createHash('sha256').update(sql).digest('base64url').slice(0, 24)
  return async (db, given) => {
    const values = bindings.map((binding) => {
      const marked = nameOf(binding)
      return marked === undefined ? binding : given[marked]
    })
    const { rows } = (await db.raw(sql).options({ name, values, types, rowMode: 'array' })) as { rows: unknown[][] }
    return rows
  }
}
