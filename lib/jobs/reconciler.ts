import type { Logger } from '../logger.ts'
import { isOutage } from '../outage.ts'
import type { Queues } from '../queues/queues.ts'
import { aiActions } from '../schemas/actions.ts'
import type { JobStore } from '../store/jobs.ts'
import type { OpenJob } from '../store/open-jobs.ts'
import type { Ledger } from '../store/ledger.ts'
import { workerAliveMs } from './lifecycle.ts'

const pageSize = 500
/** Jobs whose commands to Redis are on their way together. */
const atOnce = 100
/**
 * An intent whose run is over and that has no settlement after this long counts as unknown. A settlement that comes
 * later all the same, because the database was away, corrects it.
 */
const intentAgeMs = 30_000
const sweptAtOnce = 200

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
  everyMs,
  log
}: {
  store: JobStore
  queues: Queues
  ledger: Ledger
  /** steps of agents' runs, which outlive a run that was cut off */
  checkpoints?: { dropEnded(limit: number): Promise<number> }
  everyMs: number
  log: Logger
}) {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> | undefined
  let failing = false

  /** Puts one job back if its queue does not know it, or takes it for finished. @returns whether it did */
  async function repair({ id, user_id: owner, action, origin, status, early_ms, held }: OpenJob): Promise<boolean> {
    if (held) return false // it is being run; when its worker dies a later pass will see it again
    const state = await queues.of(action).getJobState(id)
    if (state === 'completed' || state === 'failed') await queues.of(action).remove(id)
    else if (state !== 'unknown') return false
    // One that had begun when its worker died goes first: it has waited its turn already.
    await queues.add(action, id, { delayMs: Math.max(0, Number(early_ms)), owner, origin, first: status === 'active' })
    return true
  }

  /**
   * One that cannot be repaired, such as a job of an action that only newer processes know, keeps no other waiting. A
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
    const [first] = failures
    if (first) {
      const { id, action } = first.job
      log.warn(
        { jobs: failures.length, jobId: id, action, err: first.error },
        'jobs could not be compared with their queues'
      )
    }
    // A process that died between adding a job and giving it a place left it behind everybody else's.
    await Promise.all(aiActions.map((action) => queues.line(action).place()))
    const swept = await ledger.sweep(intentAgeMs)
    await checkpoints?.dropEnded(sweptAtOnce)
    if (repaired > 0 || swept > 0) log.info({ repaired, swept }, 'queues reconciled with the database')
    return repaired
  }

  function schedule(): void {
    timer = setTimeout(() => {
      running = reconcile()
        .then(
          () => {
            failing = false
          },
          (error: unknown) => {
            if (!failing) log.warn({ err: error }, 'queues could not be reconciled, trying again')
            failing = true
          }
        )
        .finally(schedule)
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
