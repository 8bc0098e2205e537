import type { ReportWork } from '../lib/time/work-report.ts'
import type { Logger } from '../lib/logger.ts'
import { workerAliveMs } from '../lib/store/operations/workers.ts'
import type { Queues } from '../lib/queues/queues.ts'
import type { AiAction } from '../lib/actions/actions.ts'
import type { JobStore } from '../lib/store/jobs/jobs.ts'
import { createExtraConcurrency } from './extra-concurrency.ts'
import type { Pool } from './pool.ts'
import { type Repeated, repeat } from '../lib/time/repeat.ts'

const everyMs = 500

/**
 * Opens places for the jobs of workers that died, so that these start again at once also while every place is taken by
 * long jobs. BullMQ puts such jobs in front of what waits: a pool of as many places that takes nothing further takes
 * just these. At most as many places as a pool has by itself are added to it.
 */
export function watchDeadWorkers({
  store,
  queues,
  placesOf,
  openPool,
  report,
  log
}: {
  store: Pick<JobStore, 'abandoned'>
  queues: Pick<Queues, 'of'>
  /** places of this process for each action it works on */
  placesOf: ReadonlyMap<AiAction, number>
  openPool: (action: AiAction, places: number) => Pool
  report?: ReportWork | undefined
  log: Logger
}): Repeated {
  const added = createExtraConcurrency({ openPool, log })

  /** Those that BullMQ has given back: they are in the list before the line. */
  async function countWaiting(action: AiAction, ids: string[]): Promise<number> {
    const states = await Promise.all(ids.map((id) => queues.of(action).getJobState(id)))
    return states.filter((state) => state === 'waiting').length
  }

  async function look(signal: AbortSignal): Promise<void> {
    added.closeOpen()
    const abandoned = Map.groupBy(await store.abandoned(workerAliveMs, 200), ({ action }) => action)
    for (const [action, places] of placesOf) {
      const ids = (abandoned.get(action) ?? []).map(({ id }) => id)
      const waiting = ids.length > 0 ? await countWaiting(action, ids) : 0
      const wanted = Math.min(waiting, places - added.count(action))
      if (wanted < 1 || signal.aborted) continue
      log.info({ queue: action, places: wanted }, 'places added for jobs of dead workers')
      added.open(action, wanted)
    }
  }

  const looking = repeat({ name: 'takeover', everyMs, work: look, report, log })
  return {
    /** Resolves when what runs in added places has ended. */
    async stop() {
      await looking.stop()
      await added.stop()
    }
  }
}
