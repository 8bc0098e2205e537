import type { Knex } from 'knex'
import type { Failure } from '../../errors/failure.ts'
import { lookMs } from '../knex.ts'

/** How one work of a worker stands; times are milliseconds ago. */
export type WorkState = {
  work: string
  succeededMs: number | undefined
  failing: (Failure & { sinceMs: number }) | undefined
}

/** A work that fails or does not come to an end, as any process may show it. */
export type FailingWork = Failure & { work: string; since: string }

export type BackgroundWorkStore = ReturnType<typeof createBackgroundWorkStore>

/** A worker that has said nothing for so long is gone, and what it said is old. */
const freshSeconds = 30

/** The `background_work` table: how the work beside the jobs is doing, by worker. */
export function createBackgroundWorkStore({ knex }: { knex: Knex }) {
  return {
    async save(worker: string, states: WorkState[]): Promise<void> {
      await knex
        .raw(
          `insert into background_work as b
             (work, worker, succeeded_at, failing_since, failure_code, failure_message, updated_at)
           select n.work, :worker, now() - n.succeeded * interval '1 ms', now() - n.failing * interval '1 ms', n.code,
                  n.message, now()
           from unnest(:works::text[], :succeeded::float[], :failing::float[], :codes::text[], :messages::text[])
                  as n (work, succeeded, failing, code, message)
           on conflict (work, worker) do update set
             succeeded_at = coalesce(excluded.succeeded_at, b.succeeded_at), failing_since = excluded.failing_since,
             failure_code = excluded.failure_code, failure_message = excluded.failure_message, updated_at = now()`,
          {
            worker,
            works: states.map(({ work }) => work),
            succeeded: states.map(({ succeededMs }) => succeededMs ?? null),
            failing: states.map(({ failing }) => failing?.sinceMs ?? null),
            codes: states.map(({ failing }) => failing?.code ?? null),
            messages: states.map(({ failing }) => failing?.message ?? null)
          } as unknown as Record<string, Knex.Value>
        )
        .timeout(lookMs)
    },

    /** What fails, by the word of workers that are heard of. */
    async failing(): Promise<FailingWork[]> {
      const { rows } = await knex
        .raw(
          `select distinct on (work) work, failing_since, failure_code, failure_message from background_work
           where failing_since is not null and updated_at > now() - interval '${freshSeconds} seconds'
           order by work, failing_since`
        )
        .timeout(lookMs)
      type Row = { work: string; failing_since: Date; failure_code: string; failure_message: string }
      return (rows as Row[]).map(({ work, failing_since: since, failure_code: code, failure_message: message }) => ({
        work,
        since: since.toISOString(),
        code,
        message
      }))
    },

    /** Forgets a worker that stops, and those not heard of for an hour. */
    async forget(worker: string): Promise<void> {
      await knex('background_work')
        .where({ worker })
        .orWhere('updated_at', '<', knex.raw(`now() - interval '1 hour'`))
        .delete()
    }
  }
}
