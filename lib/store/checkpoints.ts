import type { Knex } from 'knex'

const tables = ['checkpoint_writes', 'checkpoint_blobs', 'checkpoints'] as const

/** Cleans up what LangGraph's checkpointer keeps, in tables that it makes for itself when a first run needs them. */
export function createCheckpointStore({ knex, schema }: { knex: Knex; schema: string }) {
  return {
    /**
     * Drops the checkpoints of jobs that have ended, or are gone with their user, at most so many jobs at once.
     * @returns how many jobs' checkpoints were dropped
     */
    async dropEnded(limit: number): Promise<number> {
      // Named with their schema: another one on the search path may have tables of the same name.
      const exists = await knex.raw('select to_regclass(?) is not null as made', [`"${schema}".checkpoints`])
      if (!exists.rows[0]?.made) return 0
      return await knex.transaction(async (trx) => {
        const { rows } = await trx.raw(
          `select distinct c.thread_id from ??.checkpoints c left join jobs j on j.id::text = c.thread_id
           where j.id is null
              or (j.status in ('completed', 'failed', 'cancelled') and j.finished_at < now() - interval '1 minute')
           limit ?`,
          [schema, limit]
        )
        const ids = (rows as { thread_id: string }[]).map((row) => row.thread_id)
        if (ids.length === 0) return 0
        for (const table of tables) await trx.withSchema(schema).from(table).whereIn('thread_id', ids).delete()
        return ids.length
      })
    }
  }
}
