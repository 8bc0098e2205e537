import type { Knex } from 'knex'
import type { JobAttempt } from '../../schemas/job-attempt.ts'

/**
 * The last attempts of a job that are kept. Only what takes no attempt can be so many: waits for a provider, and turns in
 * its limits.
 */
const keptAttempts = 200

const columns = 'job_id, run, attempt, worker, started_at, ended_at, outcome, error, next_at, wait_reason'

/*
 * An attempt is written by the statement that ends its run: each of these is a common table expression for it, so that
 * history costs no round trip and cannot disagree with the row. They read what that statement returns as `ended`. A row
 * without a worker had no run.
 */

/** With the last state of a job: completed, failed, cancelled. */
export const attemptOfEnd = `
  attempt as (
    insert into job_attempts (${columns})
    select id, run, attempts, worker, began_at, now(), status, error, null, null from ended where worker is not null)`

/** With the way back to waiting. Parameters: `:outcome`, and `:id` and `:run` of what it ends. */
export const attemptOfRequeue = `
  attempt as (
    insert into job_attempts (${columns})
    select id, run, attempts, worker, began_at, now(), :outcome, error, run_at, coalesce(wait_reason, 'worker')
    from ended where worker is not null),
  forgotten as (delete from job_attempts where job_id = :id and run <= :run - ${keptAttempts})`

/**
 * With the start of a job that another run had, for which nobody has written an end. Its worker died, and was last heard
 * of at the end; or it is the worker that starts the job again, having lost sight of that run.
 * Parameters: `:id` of the job, whose row is locked, and `:worker` that starts it.
 */
export const attemptOfTakeover = `
  attempt as (
    insert into job_attempts (${columns})
    select j.id, j.run, j.attempts, j.worker, coalesce(j.run_started_at, j.started_at, now()),
           case when j.worker = :worker then now()
                else greatest(coalesce(j.run_started_at, j.started_at, now()), coalesce(w.seen_at, now())) end,
           case when j.worker = :worker then 'overtaken' else 'crashed' end, null, now(), 'worker'
    from jobs j left join workers w on w.id = j.worker
    where j.id = :id and j.status = 'active' and j.worker is not null)`

/** The `job_attempts` table. Its rows are written with the `jobs` row, by what `createJobRuns` returns. */
export function createJobAttemptStore({ knex }: { knex: Knex }) {
  const iso = (value: Date | null) => value && value.toISOString()
  return {
    /**
     * Runs that count as crashed came back: their workers live, and were overtaken. One that ended otherwise stays as it
     * is.
     */
    async markOvertaken(
      runs: readonly { id: string; run: number }[],
      connection: Knex | Knex.Transaction = knex
    ): Promise<void> {
      await connection('job_attempts')
        .whereIn(
          ['job_id', 'run'],
          runs.map(({ id, run }) => [id, run])
        )
        .where({ outcome: 'crashed' })
        .update({ outcome: 'overtaken' })
    },

    /**
     * The attempts of a job in their order, the one that runs last; at most `keptAttempts` and that one.
     * @param userId limits the look to this user's jobs; absent: any
     * @returns `undefined` when there is no such job; none of a job that ended before attempts were written down
     */
    async attemptsOf(id: string, userId?: string): Promise<JobAttempt[] | undefined> {
      const { rows } = await knex.raw(
        `select a.* from jobs j left join lateral (
           select run, attempt, worker, started_at, ended_at, outcome, error, next_at, wait_reason
           from job_attempts where job_id = j.id
           union all
           select j.run, j.attempts, j.worker, coalesce(j.run_started_at, j.started_at, now()), null, 'running', null, null, null
           where j.status = 'active' and j.worker is not null
         ) a on true
         where j.id = :id ${userId ? 'and j.user_id = :userId' : ''} order by a.run`,
        userId ? { id, userId } : { id }
      )
      if (rows.length === 0) return undefined
      return (rows as Record<string, unknown>[])
        .filter(({ run }) => run !== null)
        .map((row) => ({
          attempt: row.attempt as number,
          run: row.run as number,
          worker: row.worker as string,
          startedAt: iso(row.started_at as Date) as string,
          endedAt: iso(row.ended_at as Date | null),
          outcome: row.outcome as JobAttempt['outcome'],
          error: row.error as JobAttempt['error'],
          nextAt: iso(row.next_at as Date | null),
          waitReason: row.wait_reason as JobAttempt['waitReason']
        }))
    }
  }
}
