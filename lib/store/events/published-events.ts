import type { Knex } from 'knex'

const latest = 100

/**
 * The data of the latest news of a type about a subject, the newest first. Whoever else asks for the same waits until
 * the transaction ends, so what two writers find untold only one of them tells.
 */
export async function publishedEvents(
  trx: Knex.Transaction,
  type: string,
  subject: string
): Promise<Record<string, unknown>[]> {
  await trx.raw('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`${type} ${subject}`])
  const rows = await trx('events').where({ type, subject }).orderBy('position', 'desc').limit(latest).select('data')
  return rows.map(({ data }) => data as Record<string, unknown>)
}
