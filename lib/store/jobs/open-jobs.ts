import type { Knex } from 'knex'
import type { AiAction } from '../../actions/actions.ts'
import type { JobStatus } from '../../schemas/job.ts'
import type { StartedJob } from './runs.ts'
import { notSetAside } from '../operations/dead-letters.ts'
import { lookMs } from '../knex.ts'

/** Dead letters of jobs that could not be compared with their queue. */
export const queuelessKind = 'reconciler'

export type OpenJob = {
  id: string
  user_id: string
  action: AiAction
  origin: 'user' | 'system'
  status: JobStatus
  early_ms: string
  held: boolean
}

/** Looks at jobs that have not ended, which workers and waiting requests take again and again. */
export function createOpenJobs({ knex }: { knex: Knex }) {
  return {
    /** Of these jobs, the ones that have ended or are gone. */
    async endedAmong(ids: string[]): Promise<string[]> {
      const rows = await knex('jobs')
        .whereIn('id', ids)
        .whereIn('status', ['queued', 'active'])
        .select('id')
        .timeout(lookMs)
      const open = new Set(rows.map((row) => row.id as string))
      return ids.filter((id) => !open.has(id))
    },

    /** Of these runs, the ones that are no longer in charge: cancelled, ended or overtaken. */
    async lostRuns(runs: { id: string; run: number }[]): Promise<{ id: string; run: number }[]> {
      if (runs.length === 0) return []
      const rows = await knex('jobs')
        .whereIn(
          'id',
          runs.map(({ id }) => id)
        )
        .select('id', 'run', 'status')
        .timeout(lookMs)
      const current = new Map(rows.map((row) => [row.id as string, row]))
      return runs.filter(({ id, run }) => current.get(id)?.status !== 'active' || current.get(id)?.run !== run)
    },

    /** Runs that this worker has, as far as the rows say. */
    async activeOf(worker: string): Promise<Pick<StartedJob, 'id' | 'run' | 'attempts' | 'maxAttempts'>[]> {
      return await knex('jobs')
        .where({ status: 'active', worker })
        .select('id', 'run', 'attempts', 'max_attempts as maxAttempts')
        .timeout(lookMs)
    },

    /** Jobs whose worker fell silent while it ran them, and which nobody has started again. */
    async abandoned(aliveMs: number, limit: number): Promise<{ id: string; action: AiAction }[]> {
      return await knex('jobs as j')
        .where({ status: 'active' })
        .whereNotExists(
          knex('workers as w')
            .whereRaw('w.id = j.worker')
            .where('w.seen_at', '>', knex.raw(`now() - ? * interval '1 ms'`, [aliveMs]))
            .select(knex.raw('1'))
        )
        .orderBy('id')
        .limit(limit)
        .select('id', 'action')
        .timeout(lookMs)
    },

    /** Open jobs in order of id, for the reconciler; `held` ones are being run by a worker that lives. */
    async open(after: string | undefined, limit: number, aliveMs: number) {
      const { rows } = await knex.raw(
        `select j.id, j.user_id, j.action, j.origin, j.status, j.run_at, extract(epoch from (j.run_at - now())) * 1000 as early_ms,
                (j.status = 'active' and exists (
                  select from workers w where w.id = j.worker and w.seen_at > now() - ? * interval '1 ms')) as held
         from jobs j
         where j.status in ('queued', 'active') and j.created_at < now() - interval '2 seconds' and j.id > ?
           and ${notSetAside(queuelessKind, 'j.id')}
         order by j.id limit ?`,
        [aliveMs, after ?? '00000000-0000-0000-0000-000000000000', limit]
      )
      return rows as OpenJob[]
    }
  }
}
