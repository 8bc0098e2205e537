import { loadConfig } from './lib/config.ts'
import { knexSettings } from './lib/store/knex.ts'

/** For the `knex` command line: `npx knex migrate:status`, with DATABASE_URL set. */
const config = loadConfig(process.env)
export default knexSettings({
  databaseUrl: config.databaseUrl ?? 'postgres://127.0.0.1:5432/postgres',
  schema: config.databaseSchema
})
