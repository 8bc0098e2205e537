import type { Knex } from 'knex'
import type { Budgets } from '../budgets/budgets.ts'
import type { Requeue, StartedJob } from '../store/jobs/runs.ts'
import type { JobStore } from '../store/jobs/jobs.ts'
import { workerAliveMs } from '../store/operations/workers.ts'
import type { Transaction } from '../store/transaction.ts'
import { backoffMs } from './backoff.ts'
import { createGroupedMoves } from './grouped-moves.ts'
import type { SettleJobs } from './settle-job.ts'
import type { JobEvents } from './job-events.ts'
import type { JobError } from '../errors/job-error.ts'

/** A job that has taken its worker with it so often is not tried again. */
const maxCrashes = 3
/** How soon a job that found its owner's budget empty looks again. */
const emptyBudgetDelayMs = 5 * 60_000

/**
 * How soon a job looks again whether those before it in its thread are done, for each of them and once more: a thread
 * with a thousand jobs makes some seventy looks a second, not five thousand.
 */
const threadLookMs = 100

const newerJob = 'cancelled by the platform: a newer job for the same record does its work'

export type Start =
  | { kind: 'started'; job: StartedJob }
  /** ended before, or deleted: nothing to do */
  | { kind: 'over' }
  /** not now: its time has not come, or an earlier job of its thread is not done */
  | { kind: 'later'; delayMs: number }
  /** another worker has it, which lives or died only just now */
  | { kind: 'held' }

/** What a run changes in the transaction that ends it, which returns its result; or its result, when it changes nothing. */
export type Effect = ((trx: Knex.Transaction) => Promise<unknown>) | { result: unknown }

export type Progress = { done: number; total: number } | null

/** The moves of a job from its start to its end. Each is one transaction, conditional on the run still being in charge. */
export function createLifecycle({
  store,
  transaction,
  settleJobs,
  jobEvents,
  budgets,
  backoffBaseMs,
  longestWaitMs
}: {
  store: JobStore
  transaction: Transaction
  settleJobs: SettleJobs
  jobEvents: JobEvents
  budgets: Budgets
  backoffBaseMs: number
  /** how long a job may wait in all without using up an attempt */
  longestWaitMs: number
}) {
  const { transact } = transaction
  const grouped = createGroupedMoves({ store, transaction, jobEvents, settleJobs })

  /**
   * Ends an open job as cancelled.
   * @param why by whom and for what, as its owner reads it
   * @returns false when it had ended before
   */
  async function cancelOpen(id: string, why: string): Promise<boolean> {
    const error = { code: 'cancelled', message: why, retryable: false }
    return await transact(async (trx) => {
      if (!(await store.finishOpen(trx, id, { status: 'cancelled', error }))) return false
      await settleJobs(trx, [id], 'cancelled')
      return true
    })
  }

  /** A run that is not in charge: if another took over because its worker seemed dead, that is what became of it. */
  async function noteOvertaken(trx: Knex.Transaction, id: string, run: number): Promise<false> {
    await store.markOvertaken([{ id, run }], trx)
    return false
  }

  /** Back to waiting. @returns false when the run was no longer in charge */
  async function putBack({ id, run }: Pick<StartedJob, 'id' | 'run'>, how: Requeue): Promise<boolean> {
    return await transact(
      async (trx) => (await store.requeue(trx, id, run, how)) || (await noteOvertaken(trx, id, run))
    )
  }

  /** Starts a run of a job that something may keep from starting, or says what does. */
  async function startAlone(id: string, worker: string): Promise<Start> {
    return await transact(async (trx): Promise<Start> => {
      const row = await store.lockForStart(trx, id, worker, workerAliveMs)
      if (!row || (row.status !== 'queued' && row.status !== 'active')) return { kind: 'over' }
      if (row.held) return { kind: 'held' }
      if (row.status === 'queued' && row.early) return { kind: 'later', delayMs: Math.ceil(Number(row.early_ms)) }
      if (row.ahead > 0) return { kind: 'later', delayMs: threadLookMs * (1 + row.ahead) }
      // Jobs of the platform reserve when they start, and wait while their owner's budget is empty.
      if (row.origin === 'system' && !row.budgeted) {
        const reservation = { jobId: id, userId: row.user_id, action: row.action, input: row.input }
        if (!(await budgets.reserve(trx, reservation))) {
          await store.postpone(trx, id, emptyBudgetDelayMs, 'budget')
          return { kind: 'later', delayMs: emptyBudgetDelayMs }
        }
      }
      const job = await store.markStarted(trx, id, { worker, takesOver: row.status === 'active' })
      if (job.crashes >= maxCrashes) {
        await store.finish(trx, id, job.run, {
          status: 'failed',
          error: {
            code: 'worker_crashed',
            message: `the worker died ${job.crashes} times while it ran this job`,
            retryable: false
          }
        })
        await settleJobs(trx, [id], 'failed')
        return { kind: 'over' }
      }
      if (job.run === 1) {
        const view = await store.find(id, undefined, trx)
        if (view) await jobEvents(trx, 'started', [{ view, userId: job.userId }])
      }
      return { kind: 'started', job }
    })
  }

  return {
    cancelOpen,

    /** Starts a run of an open job. */
    async start(id: string, worker: string): Promise<Start> {
      const job = await grouped.start(id, worker)
      return job ? { kind: 'started', job } : await startAlone(id, worker)
    },

    /**
     * Commits the effect, the result, the audit figures and the event together, if this run is still in charge.
     * @returns false when it is not: nothing was written, but that the run was overtaken
     */
    async complete(id: string, run: number, effect: Effect, progress: Progress): Promise<boolean> {
      if (typeof effect !== 'function') return await grouped.complete(id, run, effect.result, progress)
      return await transact(async (trx) => {
        if (!(await store.lockRun(trx, id, run))) return await noteOvertaken(trx, id, run)
        const result = await effect(trx)
        await store.finish(trx, id, run, { status: 'completed', result, progress })
        await settleJobs(trx, [id], 'completed')
        return true
      })
    },

    /**
     * After a failure: back to waiting with a growing delay while attempts are left and another can help, else failed.
     * A wait that the provider asked for takes no attempt until the job has waited for `longestWaitMs` in all.
     * @returns the delay before the next attempt, `'failed'`, or `'lost'` when the run was no longer in charge
     */
    async fail(
      job: Pick<StartedJob, 'id' | 'run' | 'attempts' | 'maxAttempts'> & { waitedMs?: number },
      error: JobError,
      progress: Progress
    ): Promise<{ delayMs: number } | 'failed' | 'lost'> {
      const shown = { code: error.code, message: error.message, retryable: error.retryable }
      const { waitedMs = 0 } = job
      const delayMs = backoffMs({
        attempt: job.attempts,
        baseMs: backoffBaseMs,
        atLeastMs: error.retryAfterMs,
        waitedMs: error.takesAttempt ? 0 : waitedMs
      })
      // Its turn in limits that an operator set always comes: however long the line, waiting for it is no failure.
      const isTurn = error.code === 'provider_limit'
      const countsAsAttempt = error.takesAttempt || (!isTurn && waitedMs + delayMs > longestWaitMs)
      if (error.retryable && (!countsAsAttempt || job.attempts < job.maxAttempts)) {
        if (!error.takesAttempt) shown.message += `; it goes on at ${new Date(Date.now() + delayMs).toISOString()}`
        try {
          const moved = await putBack(job, {
            outcome: 'retried',
            delayMs,
            reason: isWaitForProvider(error) ? 'provider' : 'delay',
            error: shown,
            countsAsAttempt,
            waitedMs: isTurn || countsAsAttempt ? 0 : delayMs
          })
          return moved ? { delayMs } : 'lost'
        } catch (failure) {
          // A newer job for the same source waits already: it will do what this one should have.
          if (!isUniqueViolation(failure)) throw failure
          return (await cancelOpen(job.id, newerJob)) ? 'failed' : 'lost'
        }
      }
      return await transact(async (trx) => {
        if (!(await store.finish(trx, job.id, job.run, { status: 'failed', error: shown, progress }))) {
          await noteOvertaken(trx, job.id, job.run)
          return 'lost'
        }
        await settleJobs(trx, [job.id], 'failed')
        return 'failed'
      })
    },

    /** Gives a run back unharmed, without using up an attempt: the process has to go. */
    async release(job: StartedJob): Promise<boolean> {
      try {
        return await putBack(job, { outcome: 'drained', delayMs: 0, error: null, countsAsAttempt: false })
      } catch (failure) {
        if (!isUniqueViolation(failure)) throw failure
        return await cancelOpen(job.id, newerJob)
      }
    }
  }
}

/** The provider, or what guards it, said when it may be asked again; other failures wait for a time of our own. */
function isWaitForProvider({ code, takesAttempt }: JobError): boolean {
  return !takesAttempt && code.startsWith('provider_')
}

/** PostgreSQL's unique_violation (its manual, appendix A). */
function isUniqueViolation(error: unknown): boolean {
  return (error as { code?: string } | null)?.code === '23505'
}
