import type { Knex } from 'knex'
import { notSetAside } from '../operations/dead-letters.ts'

const tables = ['checkpoint_writes', 'checkpoint_blobs', 'checkpoints'] as const

/** Cleans up what LangGraph's checkpointer keeps, in tables that it makes for itself when a first run needs them. */
export type CheckpointStore = ReturnType<typeof createCheckpointStore>

export function createCheckpointStore({ knex, schema }: { knex: Knex; schema: string }) {
  /** Named with their schema: another one on the search path may have tables of the same name. */
  async function exist(): Promise<boolean> {
    const { rows } = await knex.raw('select to_regclass(?) is not null as made', [`"${schema}".checkpoints`])
    return rows[0]?.made === true
  }

  async function ended(db: Knex, limit: number): Promise<string[]> {
    const { rows } = await db.raw(
      `select distinct c.thread_id from ??.checkpoints c left join jobs j on j.id::text = c.thread_id
       where (j.id is null
          or (j.status in ('completed', 'failed', 'cancelled') and j.finished_at < now() - interval '1 minute'))
         and ${notSetAside('checkpoints', 'c.thread_id')}
       limit ?`,
      [schema, limit]
    )
    return (rows as { thread_id: string }[]).map((row) => row.thread_id)
  }

  async function drop(db: Knex, ids: readonly string[]): Promise<void> {
    for (const table of tables)
      await db
        .withSchema(schema)
        .from(table)
        .whereRaw('thread_id = any (?::text[])', [[...ids]])
        .delete()
  }

  return {
    /** Ids of jobs that have ended, or are gone with their user, with checkpoints left. */
    ended: async (limit: number): Promise<string[]> => ((await exist()) ? await ended(knex, limit) : []),

    /** Drops the checkpoints of these jobs. */
    drop: (ids: readonly string[]): Promise<void> => knex.transaction((trx) => drop(trx, ids)),

    /**
     * Drops the checkpoints of jobs that have ended, or are gone with their user, at most so many jobs at once.
     * @returns how many jobs' checkpoints were dropped
     */
    async dropEnded(limit: number): Promise<number> {
      if (!(await exist())) return 0
      return await knex.transaction(async (trx) => {
        const ids = await ended(trx, limit)
        if (ids.length > 0) await drop(trx, ids)
        return ids.length
      })
    }
  }
}
