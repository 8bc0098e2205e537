import { createCombined } from '../batches/combine.ts'
import { type CompletedRun, type StartedJob, storedResult } from '../store/jobs/runs.ts'
import type { JobStore } from '../store/jobs/jobs.ts'
import type { Transaction } from '../store/transaction.ts'
import type { JobEvents } from './job-events.ts'
import type { Progress } from './lifecycle.ts'
import type { SettleJobs } from './settle-job.ts'

/** Enough for two batches to be under way while a third is collected. */
const lanes = 2
const rows = 128
const bytes = 4 * 1024 * 1024

/**
 * The two moves that every job makes, for all jobs of the process that are at that step: one transaction with a
 * statement for each thing that is written.
 */
export function createGroupedMoves({
  store,
  transaction: { transact },
  jobEvents,
  settleJobs
}: {
  store: JobStore
  transaction: Transaction
  jobEvents: JobEvents
  settleJobs: SettleJobs
}) {
  const startWith = (worker: string) =>
    createCombined<string, StartedJob | undefined>({
      lanes,
      rows,
      run: async (ids) => {
        const started = await transact(async (trx) => {
          const due = await store.startDue(trx, ids, worker)
          const first = due.filter(({ job }) => job.run === 1)
          await jobEvents(
            trx,
            'started',
            first.map(({ job, view }) => ({ view, userId: job.userId }))
          )
          return new Map(due.map(({ job }) => [job.id, job]))
        })
        return ids.map((id) => ({ value: started.get(id) }))
      }
    })
  const starts = new Map<string, ReturnType<typeof startWith>>()

  const complete = createCombined<CompletedRun, boolean>({
    lanes,
    rows,
    bytes,
    bytesOf: ({ result }) => result?.length ?? 0,
    run: async (ends) => {
      const completed = await transact(async (trx) => {
        const ids = await store.completeRuns(trx, ends)
        if (ids.size > 0) await settleJobs(trx, [...ids], 'completed')
        const lost = ends.filter(({ id }) => !ids.has(id))
        if (lost.length > 0) await store.markOvertaken(lost, trx)
        return ids
      })
      return ends.map(({ id }) => ({ value: completed.has(id) }))
    }
  })

  return {
    /**
     * Starts a run of a job that nothing keeps from starting.
     * @returns `undefined` when something does, or may: its time, its thread, another worker, a reservation, its end
     */
    start(id: string, worker: string): Promise<StartedJob | undefined> {
      let start = starts.get(worker)
      if (!start) {
        start = startWith(worker)
        starts.set(worker, start)
      }
      return start(id)
    },

    /**
     * Ends a run whose result is all it changes.
     * @returns false when the run is not in charge any more: nothing was written, but that it was overtaken
     */
    complete: (id: string, run: number, result: unknown, progress: Progress): Promise<boolean> =>
      complete({ id, run, result: storedResult(result), progress })
  }
}
