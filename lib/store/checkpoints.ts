import type { Knex } from 'knex'

/** Looks at what LangGraph's checkpointer keeps, in tables that it makes for itself. */
export function createCheckpointStore({ knex }: { knex: Knex }) {
  return {
    /** Jobs whose checkpoints are of no more use: ended, or gone with their user. */
    async endedJobs(limit: number): Promise<string[]> {
      const { rows } = await knex.raw(
        `select distinct c.thread_id from checkpoints c left join jobs j on j.id::text = c.thread_id
         where j.id is null or (j.status in ('completed', 'failed', 'cancelled') and j.finished_at < now() - interval '1 minute')
         limit ?`,
        [limit]
      )
      return (rows as { thread_id: string }[]).map((row) => row.thread_id)
    }
  }
}
