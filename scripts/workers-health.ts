import { hostname } from 'node:os'
import { loadConfig } from '../lib/config.ts'
import { isOutage } from '../lib/errors/outage.ts'
import { createHealthCheckStore } from '../lib/store/operations/health-checks.ts'
import { createWorkerStore } from '../lib/store/operations/workers.ts'
import { createKnex } from '../lib/store/knex.ts'

/**
 * Health check of a worker container: exits 0 when the worker of this host is alive. While the database is away or takes
 * no writes no heartbeat arrives, and a worker that is killed then loses answers that were paid for: it counts as
 * healthy.
 */
const config = loadConfig(process.env)
const knex = createKnex({ databaseUrl: config.databaseUrl ?? '', schema: config.databaseSchema, poolMax: 1 })
try {
  await createHealthCheckStore({ knex, timeoutMs: 5_000 }).write()
  const workers = await createWorkerStore({ knex }).liveWorkers()
  if (!workers.some(({ id }) => id.startsWith(`${hostname()}-`))) {
    console.error(`no worker of ${hostname()} is alive`)
    process.exitCode = 1
  }
} catch (error) {
  if (!isOutage(error)) throw error
  console.error('the database takes no writes, so no heartbeat arrives')
} finally {
  await knex.destroy()
}
