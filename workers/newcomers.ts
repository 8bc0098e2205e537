import type { ReportWork } from '../lib/time/work-report.ts'
import type { Logger } from '../lib/logger.ts'
import type { Queues } from '../lib/queues/queues.ts'
import type { AiAction } from '../lib/actions/actions.ts'
import { createExtraConcurrency } from './extra-concurrency.ts'
import type { Pool } from './pool.ts'
import { type Repeated, repeat } from '../lib/time/repeat.ts'
import type { OwnerConcurrency } from './owner-concurrency.ts'

const everyMs = 500

/** Places that may be added for newcomers: a quarter of what a pool has. */
const reserveOf = (places: number): number => Math.ceil(places / 4)

/**
 * Opens places for people who have none while others have several: when every place of an action is taken by long jobs,
 * a newcomer, who is next in line, would wait for the first of them to end. Places are added and not kept free, so
 * someone who is alone has all of them. A pool where jobs end needs none: the line is fair by itself.
 */
export function watchNewcomers({
  queues,
  placesOf,
  placesNow,
  seatsOf,
  openPool,
  report,
  log
}: {
  queues: Pick<Queues, 'line'>
  /** places of this process for each action it works on */
  placesOf: ReadonlyMap<AiAction, number>
  /** those that it takes jobs for at the moment: fewer while the process is busy */
  placesNow: (action: AiAction) => number
  seatsOf: (action: AiAction) => OwnerConcurrency
  /** opens a pool that puts back the jobs of those who have a place */
  openPool: (action: AiAction, places: number) => Pool
  report?: ReportWork | undefined
  log: Logger
}): Repeated {
  const added = createExtraConcurrency({ openPool, log })
  const endedBefore = new Map<AiAction, number>()

  /** Whether all places are taken, several of them by one, and none has become free since the last look. */
  function isStuck(action: AiAction, places: number): boolean {
    const { counts, ended } = seatsOf(action)
    const before = endedBefore.get(action)
    endedBefore.set(action, ended())
    const { taken, mostOfOne } = counts()
    return before === ended() && taken >= places && mostOfOne > 1
  }

  async function look(signal: AbortSignal): Promise<void> {
    added.closeOpen()
    for (const [action, places] of placesOf) {
      const free = reserveOf(places) - added.count(action)
      if (!isStuck(action, placesNow(action)) || free < 1) continue
      const newcomers = (await queues.line(action).nextOwners()).filter((owner) => seatsOf(action).of(owner) === 0)
      const wanted = Math.min(newcomers.length, free)
      if (wanted < 1 || signal.aborted) continue
      log.info({ queue: action, places: wanted }, 'places added for people who have none')
      added.open(action, wanted)
    }
  }

  const looking = repeat({ name: 'newcomers', everyMs, work: look, report, log })
  return {
    /** Resolves when what runs in added places has ended. */
    async stop() {
      await looking.stop()
      await added.stop()
    }
  }
}
