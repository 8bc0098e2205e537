import type { Knex } from 'knex'
import type { AiAction } from '../schemas/actions.ts'
import type { JobStatus, JobView } from '../schemas/job.ts'
import type { SourceType } from '../schemas/sources.ts'
import { jsonInput } from './json-input.ts'
import { listColumns, toJobView, usageJoin, viewColumns } from './job-view.ts'
import { packResult } from './packed-result.ts'
import { createOpenJobs } from './open-jobs.ts'

/** What the worker needs of a started job. */
export type StartedJob = {
  id: string
  userId: string
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

export type NewJob = {
  id: string
  userId: string
  action: AiAction
  origin: 'user' | 'system'
  input: unknown
  maxAttempts: number
  runAt?: Date
  retryOf?: string | null
  idempotency?: { key: string; requestHash: string } | undefined
  source?: { type: string; id: string } | undefined
  threadId?: string | null
  decision?: { id: string; at: Date } | undefined
}

export type JobEnd = {
  status: 'completed' | 'failed' | 'cancelled'
  result?: unknown
  error?: { code: string; message: string; retryable: boolean } | null
  progress?: { done: number; total: number } | null
}

/** An open job as the reconciler sees it; `held` by a worker that lives, due in `early_ms` milliseconds. */

export type JobFilter = {
  userId?: string | undefined
  status?: JobStatus | undefined
  action?: AiAction | undefined
  origin?: 'user' | 'system' | undefined
  before?: string | undefined
  limit: number
}

type JobRow = Record<string, unknown> & { id: string; user_id: string; action: AiAction; run: number }

function toStarted(row: JobRow): StartedJob {
  return {
    id: row.id,
    userId: row.user_id,
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

/** Jobs before one in its thread that are worth counting. */
const countedAhead = 1_000

export type JobStore = ReturnType<typeof createJobStore>

/** The `jobs` table. Only `lib/jobs` calls what writes here: it alone moves a job's state. */
export function createJobStore({ knex }: { knex: Knex }) {
  return {
    ...createOpenJobs({ knex }),

    /**
     * Inserts queued jobs. One whose idempotency key, or a queued job for whose source, is there already is left out.
     * @returns the ids of those that were inserted
     */
    async insert(trx: Knex.Transaction, ...jobs: NewJob[]): Promise<string[]> {
      const inputs: Awaited<ReturnType<typeof jsonInput>>[] = []
      for (const { id, input } of jobs) inputs.push(await jsonInput(trx, id, input))
      const rows = await trx('jobs')
        .insert(
          jobs.map((job, index) => ({
            id: job.id,
            user_id: job.userId,
            action: job.action,
            origin: job.origin,
            input: inputs[index]?.(),
            max_attempts: job.maxAttempts,
            run_at: job.runAt ?? trx.fn.now(),
            retry_of: job.retryOf ?? null,
            idempotency_key: job.idempotency?.key ?? null,
            request_hash: job.idempotency?.requestHash ?? null,
            idempotency_expires_at: job.idempotency ? trx.raw(`now() + interval '24 hours'`) : null,
            source_type: job.source?.type ?? null,
            source_id: job.source?.id ?? null,
            thread_id: job.threadId ?? null,
            decision_id: job.decision?.id ?? null,
            decision_at: job.decision?.at ?? null
          }))
        )
        .onConflict()
        .ignore()
        .returning('id')
      return rows.map((row) => row.id as string)
    },

    /** The job that a key of this user stands for, unless the key has expired: then the key is set free. */
    async findByIdempotencyKey(userId: string, key: string): Promise<{ id: string; requestHash: string } | undefined> {
      await knex('jobs')
        .where({ user_id: userId, idempotency_key: key })
        .where('idempotency_expires_at', '<', knex.fn.now())
        .update({ idempotency_key: null })
      const row = await knex('jobs').where({ user_id: userId, idempotency_key: key }).first('id', 'request_hash')
      return row && { id: row.id as string, requestHash: row.request_hash as string }
    },

    /** @param userId limits the look to this user's jobs; absent: any */
    async find(id: string, userId?: string, connection: Knex | Knex.Transaction = knex): Promise<JobView | undefined> {
      const { rows } = await connection.raw(
        `select ${viewColumns} from jobs j ${usageJoin} where j.id = :id ${userId ? 'and j.user_id = :userId' : ''}`,
        userId ? { id, userId } : { id }
      )
      return rows[0] && toJobView(rows[0])
    },

    /** A job as news tell of it: without a result that takes over 64 KiB, which is not even read. */
    async findForNews(trx: Knex.Transaction, id: string): Promise<JobView | undefined> {
      const { rows } = await trx.raw(`select ${listColumns} from jobs j ${usageJoin} where j.id = ?`, [id])
      return rows[0] && toJobView(rows[0])
    },

    /** Whose job it is, for checks of access that need no view. */
    async ownerOf(id: string): Promise<string | undefined> {
      const row = await knex('jobs').where({ id }).first('user_id')
      return row?.user_id as string | undefined
    },

    /** Newest first, without results that take over 64 KiB. */
    async list({ userId, status, action, origin, before, limit }: JobFilter): Promise<JobView[]> {
      const where: string[] = ['true']
      if (userId) where.push('j.user_id = :userId')
      if (status) where.push('j.status = :status')
      if (action) where.push('j.action = :action')
      if (origin) where.push('j.origin = :origin')
      if (before) where.push('j.id < :before')
      const bindings = Object.fromEntries(
        Object.entries({ userId, status, action, origin, before, limit }).filter(([, value]) => value !== undefined)
      )
      const { rows } = await knex.raw(
        `select ${listColumns} from (select * from jobs j where ${where.join(' and ')} order by j.id desc limit :limit) j
         ${usageJoin} order by j.id desc`,
        bindings
      )
      return (rows as Record<string, unknown>[]).map(toJobView)
    },

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

    /** Moves the next start of a locked, queued row. */
    async postpone(trx: Knex.Transaction, id: string, delayMs: number): Promise<void> {
      await trx('jobs')
        .where({ id })
        .update({ run_at: trx.raw(`now() + ? * interval '1 ms'`, [delayMs]) })
    },

    /** Starts a locked row: a new run. A row that was still active had a worker that died with it: a crash, no attempt. */
    async markStarted(trx: Knex.Transaction, id: string, worker: string): Promise<StartedJob> {
      const [row] = await trx('jobs')
        .where({ id })
        .update({
          status: 'active',
          run: trx.raw('run + 1'),
          attempts: trx.raw(`attempts + case when status = 'queued' then 1 else 0 end`),
          crashes: trx.raw(`crashes + case when status = 'active' then 1 else 0 end`),
          started_at: trx.raw('coalesce(started_at, now())'),
          worker
        })
        .returning('*')
      return toStarted(row as JobRow)
    },

    /**
     * Ends a run of a job, if that run is still the one in charge.
     * @returns false when it has ended or another run took over
     */
    async finish(trx: Knex.Transaction, id: string, run: number, end: JobEnd): Promise<boolean> {
      const count = await trx('jobs').where({ id, run, status: 'active' }).update(endColumns(trx, end))
      return count === 1
    },

    /** Locks the row if `run` is still in charge of it: taken before the effect, so that locks come in one order. */
    async lockRun(trx: Knex.Transaction, id: string, run: number): Promise<boolean> {
      const row = await trx('jobs').where({ id, run, status: 'active' }).forUpdate().first('id')
      return row !== undefined
    },

    /** Ends an open job in whatever state it is. @returns false when it had ended before */
    async finishOpen(trx: Knex.Transaction, id: string, end: JobEnd): Promise<boolean> {
      const count = await trx('jobs').where({ id }).whereIn('status', ['queued', 'active']).update(endColumns(trx, end))
      return count === 1
    },

    /**
     * Puts a run back to waiting. `countsAsAttempt: false` gives the attempt back (a drain, a pause of the provider);
     * `waitedMs` is added to what the job has waited without attempts.
     */
    async requeue(
      trx: Knex.Transaction,
      id: string,
      run: number,
      {
        delayMs,
        error,
        countsAsAttempt,
        waitedMs = 0
      }: { delayMs: number; error: JobEnd['error']; countsAsAttempt: boolean; waitedMs?: number }
    ): Promise<boolean> {
      const count = await trx('jobs')
        .where({ id, run, status: 'active' })
        .update({
          status: 'queued',
          run_at: trx.raw(`now() + ? * interval '1 ms'`, [delayMs]),
          error: error ? JSON.stringify(error) : null,
          attempts: trx.raw('greatest(attempts - ?, 0)', [countsAsAttempt ? 0 : 1]),
          waited_ms: trx.raw('waited_ms + ?', [Math.ceil(waitedMs)]),
          worker: null
        })
      return count === 1
    },

    /** Keeps what a cancelled run had produced. Only that run may, and only once. */
    async keepPartial(id: string, run: number, result: unknown): Promise<void> {
      await knex('jobs')
        .where({ id, run, status: 'cancelled' })
        .whereNull('result')
        .update({ result: JSON.stringify(result) })
    },

    /** Ids of open jobs of a user, to be cancelled with their owner. */
    async openOf(userId: string): Promise<{ id: string; action: AiAction }[]> {
      return await knex('jobs')
        .where({ user_id: userId })
        .whereIn('status', ['queued', 'active'])
        .select('id', 'action')
    },

    /** The input of a job, for a retry by hand. */
    async inputOf(id: string) {
      const row = await knex('jobs')
        .where({ id })
        .first('user_id', 'action', 'origin', 'input', 'thread_id', 'source_type', 'source_id', 'status')
      return row as
        | {
            user_id: string
            action: AiAction
            origin: 'user' | 'system'
            input: unknown
            thread_id: string | null
            source_type: SourceType | null
            source_id: string | null
            status: JobStatus
          }
        | undefined
    },

    async failedIds(action: AiAction | undefined, limit: number): Promise<string[]> {
      const query = knex('jobs as j')
        .where({ status: 'failed' })
        .whereNotExists(knex('jobs as r').whereRaw('r.retry_of = j.id').select(knex.raw('1')))
      if (action) void query.where({ action })
      const rows = await query.orderBy('id').limit(limit).select('j.id')
      return rows.map((row) => row.id as string)
    }
  }
}

function endColumns(trx: Knex.Transaction, { status, result, error, progress }: JobEnd) {
  return {
    status,
    result: result === undefined || result === null ? null : JSON.stringify(packResult(result)),
    error: error ? JSON.stringify(error) : null,
    ...(progress ? { progress: JSON.stringify(progress) } : {}),
    finished_at: trx.fn.now()
  }
}
