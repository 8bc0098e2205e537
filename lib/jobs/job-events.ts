import type { Knex } from 'knex'
import type { EventLog } from '../events/log.ts'
import type { JobView } from '../schemas/job.ts'

export type JobEvents = (
  trx: Knex.Transaction,
  kind: 'started' | 'completed' | 'failed' | 'cancelled',
  job: JobView,
  userId: string
) => Promise<void>

/** Writes the event of a job's step. Jobs of the platform itself are silent, but for their failures. */
export function createJobEvents({ events }: { events: EventLog }): JobEvents {
  return async (trx, kind, job, userId) => {
    if (job.origin === 'system' && kind !== 'failed') return
    await events.append(trx, {
      type: `job.${kind}.${job.action}`,
      userId,
      subject: job.id,
      data: job,
      channels: [`job:${job.id}`]
    })
  }
}
