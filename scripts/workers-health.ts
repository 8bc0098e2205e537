import { hostname } from 'node:os'
import { loadConfig } from '../lib/config.ts'
import { createWorkerStore } from '../lib/store/workers.ts'
import { createKnex } from '../lib/store/knex.ts'

/** Health check of a worker container: exits 0 when the worker of this host was heard of in the last ten seconds. */
const config = loadConfig(process.env)
const knex = createKnex({ databaseUrl: config.databaseUrl ?? '', schema: config.databaseSchema, poolMax: 1 })
try {
  const workers = await createWorkerStore({ knex }).liveWorkers(10_000)
  if (!workers.some(({ id }) => id.startsWith(`${hostname()}-`))) {
    console.error(`no worker of ${hostname()} was heard of in the last 10 s`)
    process.exitCode = 1
  }
} finally {
  await knex.destroy()
}
