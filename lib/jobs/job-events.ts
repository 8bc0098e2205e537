import type { Knex } from 'knex'
import type { EventLog } from '../events/log.ts'
import type { JobView } from '../schemas/job.ts'

export type JobEvents = (
  trx: Knex.Transaction,
  kind: 'started' | 'completed' | 'failed' | 'cancelled',
  jobs: readonly { view: JobView; userId: string }[]
) => Promise<void>

/**
 * Writes the events of a step of jobs. Jobs of the platform itself are silent, but for their failures. A result is not
 * copied into the event: whoever reads the event finds it in the job's row, where it never changes.
 */
export function createJobEvents({ events }: { events: Pick<EventLog, 'appendAll'> }): JobEvents {
  return async (trx, kind, jobs) => {
    await events.appendAll(
      trx,
      jobs
        .filter(({ view }) => view.origin === 'user' || kind === 'failed')
        .map(({ view, userId }) => ({
          type: `job.${kind}.${view.action}`,
          userId,
          subject: view.id,
          data: view,
          channels: [`job:${view.id}`],
          ...(kind === 'completed' ? { resultOf: view.id } : {})
        }))
    )
  }
}
