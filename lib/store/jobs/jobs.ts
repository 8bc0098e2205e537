import type { Knex } from 'knex'
import type { AiAction } from '../../actions/actions.ts'
import type { JobStatus, JobView } from '../../schemas/job.ts'
import type { PicoUsd } from '../../money.ts'
import type { SourceType } from '../../schemas/sources.ts'
import { createJobAttemptStore } from './attempts.ts'
import { createJobRuns } from './runs.ts'
import { jsonInput } from '../json-input.ts'
import { listColumns, toJobView, type UsageColumns, usageJoin, viewColumns } from './view.ts'
import { createOpenJobs } from './open-jobs.ts'

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

export type EndedJob = {
  id: string
  userId: string
  /** how often it was started */
  run: number
  reservedPico: PicoUsd
  /** the UTC day that its money belongs to */
  reservedDay: string
  /** the gate's decision that let it in; none for jobs of the platform itself */
  decision: { id: string; at: Date } | null
  /** the job as everybody sees it, without its result */
  viewWith(usage: UsageColumns): JobView
}

export type JobFilter = {
  userId?: string | undefined
  status?: JobStatus | undefined
  action?: AiAction | undefined
  origin?: 'user' | 'system' | undefined
  before?: string | undefined
  limit: number
}

export type JobStore = ReturnType<typeof createJobStore>

/** The `jobs` table. Only `lib/jobs` calls what writes here: it alone moves a job's state. */
export function createJobStore({ knex }: { knex: Knex }) {
  return {
    ...createOpenJobs({ knex }),
    ...createJobRuns({ knex }),
    ...createJobAttemptStore({ knex }),

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

    /**
     * Jobs that equal requests of this person have made in the last so many milliseconds and that nobody has cancelled,
     * the newest first.
     */
    async ofSameRequest(userId: string, requestHash: string, withinMs: number): Promise<string[]> {
      return await knex('jobs')
        .where({ user_id: userId, request_hash: requestHash })
        .whereNot({ status: 'cancelled' })
        .where('created_at', '>', knex.raw("now() - :withinMs * interval '1 millisecond'", { withinMs }))
        .orderBy('id', 'desc')
        .limit(10)
        .pluck('id')
    },

    /** @param userId limits the look to this user's jobs; absent: any */
    async find(id: string, userId?: string, connection: Knex | Knex.Transaction = knex): Promise<JobView | undefined> {
      const { rows } = await connection
        .raw(
          `select ${viewColumns} from jobs j ${usageJoin} where j.id = :id ${userId ? 'and j.user_id = :userId' : ''}`,
          userId ? { id, userId } : { id }
        )
        // Under a name each connection parses and plans it once (PostgreSQL's manual, PREPARE).
        .options({ name: userId ? 'job of a user' : 'job' })
      return rows[0] && toJobView(rows[0])
    },

    /** Jobs as they stand when they have ended, without their results and what they used, which the ledger knows. */
    async findEnded(trx: Knex.Transaction, ids: readonly string[]): Promise<EndedJob[]> {
      const { rows } = await trx.raw(
        `select id, user_id, action, origin, status, progress, error, attempts, retry_of, created_at, started_at,
                finished_at, run, reserved_pico::text as reserved_pico, reserved_day::text as reserved_day,
                decision_id, decision_at
         from jobs where id = any(?::uuid[]) order by id`,
        [[...ids]]
      )
      return (rows as Record<string, unknown>[]).map((row) => ({
        id: row.id as string,
        userId: row.user_id as string,
        run: row.run as number,
        reservedPico: BigInt(row.reserved_pico as string),
        reservedDay: row.reserved_day as string,
        decision: row.decision_id === null ? null : { id: row.decision_id as string, at: row.decision_at as Date },
        viewWith: (usage) => toJobView({ ...row, ...usage, result: null, wait_reason: null })
      }))
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
