import type { Knex } from 'knex'
import { heartbeatSql } from './heartbeat-sql.ts'

/** How long a worker may be silent before it counts as gone: its jobs are others' then. */
export const workerAliveMs = 3_000

export type WorkerStore = ReturnType<typeof createWorkerStore>

/** Worker processes and when each was last heard of, by the database's clock. */
export function createWorkerStore({ knex }: { knex: Knex }) {
  return {
    /** Tells the others that this worker lives. */
    async heartbeat(worker: string, queues: readonly string[]): Promise<void> {
      await knex.raw(heartbeatSql.replace('$1', '?').replace('$2', '?'), [worker, [...queues]])
    },

    /** Takes the worker off the list; forgets others that have been silent for a day. */
    async farewell(worker: string): Promise<void> {
      await knex('workers').where({ id: worker }).orWhere('seen_at', '<', knex.raw(`now() - interval '1 day'`)).delete()
    },

    /** Workers that were alive within the last `aliveMs`. */
    async liveWorkers(aliveMs = workerAliveMs): Promise<{ id: string; queues: string[] }[]> {
      return await knex('workers')
        .where('seen_at', '>', knex.raw(`now() - ? * interval '1 ms'`, [aliveMs]))
        .select('id', 'queues')
    }
  }
}
