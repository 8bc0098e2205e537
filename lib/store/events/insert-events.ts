import type { Knex } from 'knex'

/** An event before the relay gives it its position. */
export type EventInsert = {
  id: string
  user_id: string | null
  type: string
  subject: string | null
  /** as JSON */
  data: string
  channels: string[]
  /** the job whose result readers put into `data` */
  job_id: string | null
}

/** Rows of one insert: each has up to 64 KiB and more of data. */
const insertBatch = 100

/** Writes events, whatever their number, a hundred at a time. */
export async function insertEvents(trx: Knex.Transaction, rows: readonly EventInsert[]): Promise<void> {
  for (let start = 0; start < rows.length; start += insertBatch) {
    await trx('events').insert(rows.slice(start, start + insertBatch))
  }
}
