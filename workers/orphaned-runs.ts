import type { ReportWork } from '../lib/time/work-report.ts'
import { JobError } from '../lib/errors/job-error.ts'
import type { createLifecycle } from '../lib/jobs/lifecycle.ts'
import type { Logger } from '../lib/logger.ts'
import { isOutage } from '../lib/errors/outage.ts'
import type { JobStore } from '../lib/store/jobs/jobs.ts'
import { type Repeated, repeat } from '../lib/time/repeat.ts'
import type { RunningJobs } from './running-jobs.ts'

const everyMs = 1_000

/**
 * Ends attempts that the database takes for running here, and that are not: it was away when their end, or the answer to
 * their start, was on its way. As long as this worker lives nobody else would touch such a job.
 *
 * A run is looked at twice, because its start is committed a moment before it is on the list. One that is taken for
 * orphaned all the same does no harm: it is not in charge any more and cannot write.
 */
export function watchOrphanedRuns({
  store,
  running,
  lifecycle,
  worker,
  report,
  log
}: {
  store: Pick<JobStore, 'activeOf'>
  running: Pick<RunningJobs, 'has'>
  lifecycle: Pick<ReturnType<typeof createLifecycle>, 'fail'>
  worker: string
  report?: ReportWork
  log: Logger
}): Repeated {
  let suspects = new Set<string>()

  async function look(): Promise<void> {
    const orphans = (await store.activeOf(worker)).filter(({ id }) => !running.has(id))
    const seenBefore = suspects
    suspects = new Set(orphans.map(({ id, run }) => `${id} ${run}`))
    for (const job of orphans.filter(({ id, run }) => seenBefore.has(`${id} ${run}`))) {
      const error = new JobError('unavailable', 'a service was away when the attempt began or ended', {
        retryable: true
      })
      try {
        await lifecycle.fail(job, error, null)
        log.warn({ jobId: job.id, run: job.run }, 'an attempt whose end could not be written was given up')
      } catch (failure) {
        if (isOutage(failure)) throw failure // none of the others can be written either
        log.warn({ jobId: job.id, run: job.run, err: failure }, 'an attempt could not be given up, trying again')
      }
    }
  }

  return repeat({ name: 'orphaned_runs', everyMs, work: look, report, log })
}
