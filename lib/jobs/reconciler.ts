import { type ReportWork, unreported } from '../time/work-report.ts'
import { createSweeper } from '../dead-letters/sweep.ts'
import type { DeadLetters } from '../dead-letters/dead-letters.ts'
import { NamedFailure } from '../errors/failure.ts'
import type { Logger } from '../logger.ts'
import { isOutage } from '../errors/outage.ts'
import type { Queues } from '../queues/queues.ts'
import { aiActions } from '../actions/actions.ts'
import type { JobStore } from '../store/jobs/jobs.ts'
import type { CheckpointStore } from '../store/jobs/checkpoints.ts'
import { type OpenJob, queuelessKind } from '../store/jobs/open-jobs.ts'
import type { Ledger } from '../store/money/ledger.ts'
import { workerAliveMs } from '../store/operations/workers.ts'

const pageSize = 500
/** Jobs whose commands to Redis are on their way together. */
const atOnce = 100
/**
 * An intent whose run is over and that has no settlement after this long counts as unknown. A settlement that comes
 * later all the same, because the database was away, corrects it.
 */
const intentAgeMs = 30_000
const sweptAtOnce = 200
const comparedAgainMs = 60_000

/**
 * Makes Redis agree with Postgres: every open job must be in its queue. Compares open rows with BullMQ's own state of
 * the same id; one that is missing, or finished there while open here, is removed and added. Adding under the row's id
 * twice makes one job, so several reconcilers do no harm.
 */
export function createReconciler({
  store,
  queues,
  ledger,
  checkpoints,
  deadLetters,
  report = unreported,
  everyMs,
  log
}: {
  store: JobStore
  queues: Queues
  ledger: Ledger
  /** steps of agents' runs, which outlive a run that was cut off */
  checkpoints?: Pick<CheckpointStore, 'dropEnded' | 'ended' | 'drop'>
  deadLetters: DeadLetters
  report?: ReportWork
  everyMs: number
  log: Logger
}) {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> | undefined
  const sweepCalls = createSweeper({ kind: 'unsettled_calls', deadLetters })
  const sweepCheckpoints = createSweeper({ kind: 'checkpoints', deadLetters })

  /** Puts one job back if its queue does not know it, or takes it for finished. @returns whether it did */
  async function repair({ id, user_id: owner, action, origin, status, early_ms, held }: OpenJob): Promise<boolean> {
    if (!aiActions.includes(action)) return false // newer processes know it
    if (held) return false // it is being run; when its worker dies a later pass will see it again
    const state = await queues.of(action).getJobState(id)
    if (state === 'completed' || state === 'failed') await queues.of(action).remove(id)
    else if (state !== 'unknown') return false
    // One that had begun when its worker died goes first: it has waited its turn already.
    await queues.add(action, id, { delayMs: Math.max(0, Number(early_ms)), owner, origin, first: status === 'active' })
    return true
  }

  /**
   * One that cannot be repaired keeps no other waiting. A
   * Redis that is away, or that takes no writes, ends the pass.
   */
  async function repairOrNote(job: OpenJob, failures: { job: OpenJob; error: unknown }[]): Promise<boolean> {
    try {
      return await repair(job)
    } catch (error) {
      if (isOutage(error)) throw error
      failures.push({ job, error })
      return false
    }
  }

  /** One pass over all open jobs. @returns how many were put back */
  async function reconcile(): Promise<number> {
    const failures: { job: OpenJob; error: unknown }[] = []
    let repaired = 0
    let after: string | undefined
    for (;;) {
      const jobs = await store.open(after, pageSize, workerAliveMs)
      for (let from = 0; from < jobs.length; from += atOnce) {
        const repairs = await Promise.all(jobs.slice(from, from + atOnce).map((job) => repairOrNote(job, failures)))
        repaired += repairs.filter(Boolean).length
      }
      if (jobs.length < pageSize) break
      after = jobs.at(-1)?.id
    }
    for (const { job, error } of failures) await setAside(job, error)
    // A process that died between adding a job and giving it a place left it behind everybody else's.
    const placed = await Promise.allSettled(aiActions.map((action) => queues.line(action).place()))
    const failed = placed.find((one) => one.status === 'rejected')
    if (failed) throw failed.reason
    if (repaired > 0) log.info({ repaired }, 'queues reconciled with the database')
    return repaired
  }

  /** It is compared again by itself after a while, and no other waits for it. */
  async function setAside({ id }: OpenJob, cause: unknown): Promise<void> {
    const error = new NamedFailure('not_compared', 'its queue did not say how it stands', {
      cause,
      retryAfterMs: comparedAgainMs
    })
    await deadLetters.setAside({ kind: queuelessKind, key: id, error })
  }

  async function sweep(): Promise<void> {
    const swept = await sweepCalls({
      all: () => ledger.sweep(intentAgeMs, sweptAtOnce),
      next: () => ledger.forsaken(intentAgeMs, sweptAtOnce),
      these: ledger.forsake
    })
    if (swept) log.info({ swept }, 'model calls that nobody will settle are marked')
  }

  async function dropCheckpoints(): Promise<void> {
    if (!checkpoints) return
    await sweepCheckpoints({
      all: () => checkpoints.dropEnded(sweptAtOnce),
      next: () => checkpoints.ended(sweptAtOnce),
      these: checkpoints.drop
    })
  }

  /** One fails without the others. */
  const parts = [
    { work: reconcile, ...report('reconciler'), failing: false },
    { work: sweep, ...report('unsettled_calls'), failing: false },
    { work: dropCheckpoints, ...report('checkpoints'), failing: false }
  ]

  async function pass(): Promise<void> {
    for (const part of parts) {
      try {
        await part.work()
        part.failing = false
        part.succeeded()
      } catch (error) {
        if (!part.failing) log.warn({ err: error }, 'queues could not be reconciled, trying again')
        part.failing = true
        part.failed(error)
      }
    }
  }

  function schedule(): void {
    timer = setTimeout(() => {
      running = pass().finally(schedule)
    }, everyMs)
  }

  return {
    reconcile,
    start: schedule,
    async stop(): Promise<void> {
      clearTimeout(timer)
      await running
      clearTimeout(timer)
    }
  }
}
