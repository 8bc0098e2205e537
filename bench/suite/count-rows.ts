import { withPostgres } from '../../scripts/services/postgres-client.ts'

/** Rows of a table, of which `where` is true when it is given. */
export async function countRows(databaseUrl: string, table: string, where = 'true'): Promise<number> {
  return await withPostgres(databaseUrl, async (client) => {
    const sql = `select count(*)::int as count from ${table} where ${where}`
    const { rows } = await client.query<{ count: number }>(sql)
    return rows[0]?.count ?? 0
  })
}
