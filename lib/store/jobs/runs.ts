import type { Knex } from 'knex'
import type { Actor } from '../../access/actor.ts'
import type { AiAction } from '../../actions/actions.ts'
import type { JobStatus, JobView, WaitReason } from '../../schemas/job.ts'
import { attemptOfEnd, attemptOfRequeue, attemptOfTakeover } from './attempts.ts'
import { packResult } from './packed-result.ts'
import { toUnusedView } from './view.ts'

/** What the worker needs of a started job. */
export type StartedJob = {
  id: string
  userId: string
  /** of its user, when this run began */
  userRole: Actor['role']
  action: AiAction
  origin: 'user' | 'system'
  input: unknown
  run: number
  attempts: number
  maxAttempts: number
  crashes: number
  /** how long it has waited in all without using up an attempt */
  waitedMs: number
  threadId: string | null
}

export type JobEnd = {
  status: 'completed' | 'failed' | 'cancelled'
  result?: unknown
  error?: { code: string; message: string; retryable: boolean } | null
  progress?: { done: number; total: number } | null
}

/** A run that ends well: its result as it is stored (`storedResult`). */
export type CompletedRun = Pick<StartedJob, 'id' | 'run'> & { result: string | null; progress: JobEnd['progress'] }

/** A result as the row keeps it, as JSON. */
export const storedResult = (result: unknown): string | null =>
  result === undefined || result === null ? null : JSON.stringify(packResult(result))

/** How a run goes back to waiting. */
export type Requeue = {
  outcome: 'retried' | 'drained'
  delayMs: number
  /** what it waits for until the delay is over; absent: there is no delay */
  reason?: WaitReason
  error: JobEnd['error']
  /** false gives the attempt back: a drain, a pause of the provider */
  countsAsAttempt: boolean
  /** added to what the job has waited without attempts */
  waitedMs?: number
}

type JobRow = Record<string, unknown> & { id: string; user_id: string; action: AiAction; run: number }

/** Read by the statement that starts a run, which so has its user without asking for them. */
const roleOfUser = (jobs: string) => `(select role from users where users.id = ${jobs}.user_id) as user_role`

/** Jobs before one in its thread that are worth counting. */
const countedAhead = 1_000

const endColumns = `
  status = :status, result = :result, error = :error, progress = coalesce(:progress, progress), finished_at = now()`
const ended =
  'returning id, run, attempts, worker, status, error, coalesce(run_started_at, started_at, now()) as began_at'

/**
 * Runs of jobs in the `jobs` table, from their start to their end. What ends a run also writes down the attempt, in the
 * same statement ([job-attempts.ts](job-attempts.ts)).
 */
export function createJobRuns({ knex }: { knex: Knex }) {
  return {
    /**
     * Locks the row of an open job for a start; also whether another worker that is still alive has it, and how many
     * open jobs of its thread come before it (counted to a thousand).
     */
    async lockForStart(trx: Knex.Transaction, id: string, worker: string, aliveMs: number) {
      const { rows } = await trx.raw(
        `select j.*, j.run_at > now() as early,
                extract(epoch from (j.run_at - now())) * 1000 as early_ms,
                (j.status = 'active' and j.worker is distinct from :worker and exists (
                  select from workers w where w.id = j.worker and w.seen_at > now() - :aliveMs * interval '1 ms'
                )) as held,
                (case when j.thread_id is null then 0 else (select count(*)::int from (
                  select from jobs p where p.thread_id = j.thread_id and p.id <> j.id
                    and case when j.status = 'active' then p.status = 'active' and p.id < j.id
                             else p.status = 'active' or (p.status = 'queued' and p.id < j.id) end
                  limit :countedAhead
                ) ahead) end) as ahead
         from jobs j where j.id = :id for update of j`,
        { id, worker, aliveMs, countedAhead }
      )
      return rows[0] as
        | (JobRow & { status: JobStatus; early: boolean; early_ms: string; held: boolean; ahead: number })
        | undefined
    },

    /**
     * Starts those of these jobs that can start at once, each a new run: queued, due, of no thread, and with their
     * reservation made if they need one. Rows that somebody else has locked are left out with the rest.
     * @returns in no particular order
     */
    async startDue(
      trx: Knex.Transaction,
      ids: readonly string[],
      worker: string
    ): Promise<{ job: StartedJob; view: JobView }[]> {
      const { rows } = await trx.raw(
        `with due as (
           select id from jobs
           where id = any(:ids::uuid[]) and status = 'queued' and run_at <= now() and thread_id is null
             and (origin = 'user' or budgeted)
           order by id for update skip locked)
         update jobs j set
           status = 'active', run = run + 1, worker = :worker, wait_reason = null, attempts = attempts + 1,
           started_at = coalesce(started_at, now()), run_started_at = now()
         from due where j.id = due.id returning j.*, ${roleOfUser('j')}`,
        { ids: [...ids], worker }
      )
      return (rows as JobRow[]).map((row) => ({ job: toStarted(row), view: toUnusedView(row) }))
    },

    /** Moves the next start of a locked, queued row. @param reason what it waits for until then */
    async postpone(trx: Knex.Transaction, id: string, delayMs: number, reason: WaitReason): Promise<void> {
      await trx('jobs')
        .where({ id })
        .update({ run_at: trx.raw(`now() + ? * interval '1 ms'`, [delayMs]), wait_reason: reason })
    },

    /**
     * Starts a locked row: a new run.
     * @param takesOver the row is active: the worker that had it died with it, which is a crash and no attempt
     */
    async markStarted(
      trx: Knex.Transaction,
      id: string,
      { worker, takesOver }: { worker: string; takesOver: boolean }
    ): Promise<StartedJob> {
      const { rows } = await trx.raw(
        `${takesOver ? `with ${attemptOfTakeover}` : ''}
         update jobs set
           status = 'active', run = run + 1, worker = :worker, wait_reason = null,
           attempts = attempts + case when status = 'queued' then 1 else 0 end,
           crashes = crashes + case when status = 'active' then 1 else 0 end,
           started_at = coalesce(started_at, now()), run_started_at = now()
         where id = :id returning *, ${roleOfUser('jobs')}`,
        { id, worker }
      )
      return toStarted(rows[0] as JobRow)
    },

    /**
     * Ends a run of a job, if that run is still the one in charge.
     * @returns false when it has ended or another run took over
     */
    async finish(trx: Knex.Transaction, id: string, run: number, end: JobEnd): Promise<boolean> {
      const { rows } = await trx.raw(
        `with ended as (
           update jobs set ${endColumns} where id = :id and run = :run and status = 'active' ${ended}
         ), ${attemptOfEnd}
         select id from ended`,
        { id, run, ...endBindings(end) }
      )
      return rows.length === 1
    },

    /**
     * Completes these runs, each if it is still the one in charge. Rows are locked in order of id.
     * @returns the ids of those that were
     */
    async completeRuns(trx: Knex.Transaction, ends: readonly CompletedRun[]): Promise<Set<string>> {
      const { rows } = await trx.raw(
        `with mine as (
           select j.id, t.result, t.progress
           from jobs j join unnest(:ids::uuid[], :runs::int[], :results::jsonb[], :progress::jsonb[])
             as t (id, run, result, progress) on t.id = j.id and t.run = j.run
           where j.status = 'active' order by j.id for update of j),
         ended as (
           update jobs j set status = 'completed', result = m.result, error = null,
             progress = coalesce(m.progress, j.progress), finished_at = now()
           from mine m where j.id = m.id
           returning j.id, j.run, j.attempts, j.worker, j.status, j.error,
             coalesce(j.run_started_at, j.started_at, now()) as began_at),
         ${attemptOfEnd}
         select id from ended`,
        {
          ids: ends.map(({ id }) => id),
          runs: ends.map(({ run }) => run),
          results: ends.map(({ result }) => result),
          progress: ends.map(({ progress }) => progress && JSON.stringify(progress))
        }
      )
      return new Set((rows as { id: string }[]).map(({ id }) => id))
    },

    /** Locks the row if `run` is still in charge of it: taken before the effect, so that locks come in one order. */
    async lockRun(trx: Knex.Transaction, id: string, run: number): Promise<boolean> {
      const row = await trx('jobs').where({ id, run, status: 'active' }).forUpdate().first('id')
      return row !== undefined
    },

    /** Ends an open job in whatever state it is. @returns false when it had ended before */
    async finishOpen(trx: Knex.Transaction, id: string, end: JobEnd): Promise<boolean> {
      const { rows } = await trx.raw(
        `with ended as (
           update jobs set ${endColumns} where id = :id and status in ('queued', 'active') ${ended}
         ), ${attemptOfEnd}
         select id from ended`,
        { id, ...endBindings(end) }
      )
      return rows.length === 1
    },

    /**
     * Puts a run back to waiting.
     * @returns false when the run has ended or another took over
     */
    async requeue(
      trx: Knex.Transaction,
      id: string,
      run: number,
      { outcome, delayMs, reason, error, countsAsAttempt, waitedMs = 0 }: Requeue
    ): Promise<boolean> {
      const { rows } = await trx.raw(
        `with before as (
           select id, attempts, worker, coalesce(run_started_at, started_at, now()) as began_at from jobs
           where id = :id and run = :run and status = 'active' for update
         ), ended as (
           update jobs j set
             status = 'queued', run_at = now() + :delayMs * interval '1 ms', error = :error, wait_reason = :reason,
             attempts = greatest(j.attempts - :givenBack, 0), waited_ms = j.waited_ms + :waitedMs,
             worker = null, run_started_at = null
           from before b where j.id = b.id
           returning j.id, j.run, j.run_at, j.error, j.wait_reason, b.attempts, b.worker, b.began_at
         ), ${attemptOfRequeue}
         select id from ended`,
        {
          id,
          run,
          outcome,
          delayMs,
          reason: reason ?? null,
          error: error ? JSON.stringify(error) : null,
          givenBack: countsAsAttempt ? 0 : 1,
          waitedMs: Math.ceil(waitedMs)
        }
      )
      return rows.length === 1
    },

    /** Keeps what a cancelled run had produced. Only that run may, and only once. */
    async keepPartial(id: string, run: number, result: unknown): Promise<void> {
      await knex('jobs')
        .where({ id, run, status: 'cancelled' })
        .whereNull('result')
        .update({ result: JSON.stringify(result) })
    }
  }
}

function toStarted(row: JobRow): StartedJob {
  return {
    id: row.id,
    userId: row.user_id,
    userRole: row.user_role as Actor['role'],
    action: row.action,
    origin: row.origin as 'user' | 'system',
    input: row.input,
    run: row.run,
    attempts: row.attempts as number,
    maxAttempts: row.max_attempts as number,
    crashes: row.crashes as number,
    waitedMs: Number(row.waited_ms),
    threadId: row.thread_id as string | null
  }
}

function endBindings({ status, result, error, progress }: JobEnd) {
  return {
    status,
    result: storedResult(result),
    error: error ? JSON.stringify(error) : null,
    progress: progress ? JSON.stringify(progress) : null
  }
}
