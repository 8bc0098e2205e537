import { loadConfig } from '../lib/config.ts'
import { migrateLatest } from '../lib/store/knex.ts'

/** `npm run db:migrate`: brings DATABASE_URL to the newest migration. */
const config = loadConfig(process.env)
if (!config.databaseUrl) {
  console.error('DATABASE_URL is not set: name the database to migrate.')
  process.exitCode = 1
} else {
  const names = await migrateLatest(config)
  console.log(
    names.length === 0 ? 'The database is up to date.' : `Ran ${names.length} migrations:\n${names.join('\n')}`
  )
}
