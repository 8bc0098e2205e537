import { randomBytes } from 'node:crypto'
import { migrateLatest } from '../lib/store/knex.ts'
import { withPostgres } from './services/postgres-client.ts'

/**
 * Makes the migrated database that every test file gets a copy of: migrating takes seconds, copying a fraction of one.
 * @param databaseUrl of a role that may create databases
 * @returns its name, which is its schema's too, and `remove`
 */
export async function createTestTemplate(databaseUrl: string): Promise<{ name: string; remove: () => Promise<void> }> {
  const name = `test_template_${randomBytes(6).toString('hex')}`
  const remove = () =>
    withPostgres(databaseUrl, async (client) => {
      await client.query(`drop database if exists ${name} with (force)`)
    })
  await withPostgres(databaseUrl, (client) => client.query(`create database ${name}`))
  try {
    const own = new URL(databaseUrl)
    own.pathname = `/${name}`
    // Here pgvector comes into `public`, where every search path ends.
    await migrateLatest({ databaseUrl: own.href, databaseSchema: name })
  } catch (error) {
    await remove()
    throw error
  }
  return { name, remove }
}
