import { randomBytes } from 'node:crypto'
import pg from 'pg'

export type ReadOnlyRole = Awaited<ReturnType<typeof createReadOnlyRole>>

/**
 * A login of the test's own, to a database of its own, that can be made read-only, as a whole server is in a failover, without anybody else
 * noticing. Its sessions are cut each time, as a failover does.
 */
export async function createReadOnlyRole(databaseUrl: string) {
  const name = `test_${randomBytes(6).toString('hex')}`
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const owner = decodeURIComponent(new URL(databaseUrl).username)
  await client.query(`create role ${name} login password '${name}' in role ${pg.escapeIdentifier(owner)}`)
  const url = new URL(databaseUrl)
  url.username = name
  url.password = name

  async function cut(): Promise<void> {
    await client.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [name])
  }

  return {
    databaseUrl: url.href,
    async freeze(): Promise<void> {
      await client.query(`alter role ${name} set default_transaction_read_only = on`)
      await cut()
    },
    /** Sessions that were opened meanwhile stay as they are: whoever keeps them stays read-only. */
    async thaw(): Promise<void> {
      await client.query(`alter role ${name} reset default_transaction_read_only`)
    },
    async remove(): Promise<void> {
      await cut()
      await client.query(`reassign owned by ${name} to ${pg.escapeIdentifier(owner)}`)
      await client.query(`drop owned by ${name}`)
      await client.query(`drop role ${name}`)
      await client.end()
    }
  }
}
