import type { Knex } from 'knex'

export type HealthCheckStore = ReturnType<typeof createHealthCheckStore>

/** What is asked of the database to see whether it does its work. */
export function createHealthCheckStore({ knex, timeoutMs }: { knex: Knex; timeoutMs: number }) {
  return {
    /** A commit like any other. Rejects as whatever else is written would. */
    async write(): Promise<void> {
      await knex
        .raw(
          `insert into health_checks (id, checked_at) values (1, now())
           on conflict (id) do update set checked_at = excluded.checked_at`
        )
        .timeout(timeoutMs)
    },

    /** Rejects when the database answers nothing at all. */
    async read(): Promise<void> {
      await knex.raw('select 1').timeout(timeoutMs)
    }
  }
}
