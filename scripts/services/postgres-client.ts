import pg from 'pg'

/** Runs the work on one connection and closes it; rejects when there is none to be had within 5 s. */
export async function withPostgres<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => undefined) // a lost connection shows as the failure of the query at hand
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
