import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { Knex } from 'knex'
import { createKnex, migrateLatest } from '../lib/store/knex.ts'
import { startServices } from '../scripts/services/index.ts'

/**
 * A migrated schema of its own: in the database of DATABASE_URL or TEST_DATABASE_URL, else in a private PostgreSQL that
 * is started for it. `close` removes the schema and stops what was started.
 */
export async function openBenchDatabase(): Promise<{ knex: Knex; close: () => Promise<void> }> {
  const given = process.env.DATABASE_URL || process.env.TEST_DATABASE_URL
  const services = given
    ? undefined
    : await startServices({
        dataDir: fileURLToPath(new URL('../.data/bench', import.meta.url)),
        // Only PostgreSQL is needed: the others count as given.
        wanted: { redisUrl: 'redis://unused.invalid', rabbitmqUrl: 'off' },
        durable: false,
        step: async (_title, work) => await work(() => {}),
        env: process.env
      })
  const databaseUrl = given ?? (services?.databaseUrl as string)
  const schema = `bench_${randomBytes(5).toString('hex')}`
  await migrateLatest({ databaseUrl, databaseSchema: schema })
  const knex = createKnex({ databaseUrl, schema, poolMax: 4, applicationName: 'bench' })
  return {
    knex,
    async close() {
      await knex.raw('drop schema ?? cascade', [schema])
      await knex.destroy()
      await services?.stop()
    }
  }
}

/** A table in the terminal, numbers to the right. */
export function printTable(rows: Record<string, string | number>[]): void {
  const names = Object.keys(rows[0] ?? {})
  const cells = [names, ...rows.map((row) => names.map((name) => String(row[name])))]
  const widths = names.map((_, column) => Math.max(...cells.map((row) => (row[column] as string).length)))
  for (const row of cells) {
    console.log(
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
    )
  }
}
