import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { ReportWork } from '../lib/time/work-report.ts'
import type { Logger } from '../lib/logger.ts'
import type { AiAction } from '../lib/actions/actions.ts'
import type { Pool } from './pool.ts'
import { type Repeated, repeat } from '../lib/time/repeat.ts'
import type { OwnerConcurrency } from './owner-concurrency.ts'

const everyMs = 500
/** The event loop is sampled so often. */
const resolutionMs = 10
/** A turn of the event loop that comes so late, half of the time, is felt by every statement of every job. */
const lateMs = 20
/** Below this there is room again. */
const earlyMs = 8

/** No pool gets smaller than this: one job may be long. */
const fewest = (places: number): number => Math.min(places, Math.max(2, Math.ceil(places / 8)))

type Eased = Pick<Pool, 'action' | 'places' | 'resize'>

/**
 * One look at a process: fewer jobs at once where one person, or one address, has most of them while the event loop is late, one more
 * everywhere while it is not (additive increase, multiplicative decrease; D.-M. Chiu, R. Jain, 1989). What waits for a
 * provider costs the loop nothing, so it is work that makes pools smaller: a processor does not do more of it when
 * sixteen jobs share it than when four do, and everybody's single job comes between those.
 * @param delayMs how late a turn of the event loop came, in the middle
 */
export function ease({
  pools,
  placesOf,
  seatsOf,
  delayMs
}: {
  pools: readonly Eased[]
  placesOf: ReadonlyMap<AiAction, number>
  seatsOf: (action: AiAction) => Pick<OwnerConcurrency, 'counts'>
  delayMs: number
}): void {
  const most = (pool: Eased) => placesOf.get(pool.action) ?? pool.places()
  if (delayMs < earlyMs) {
    for (const pool of pools) if (pool.places() < most(pool)) pool.resize(pool.places() + 1)
  }
  if (delayMs <= lateMs) return
  const [crowded] = pools
    .map((pool) => ({ pool, mostOfGroup: seatsOf(pool.action).counts().mostOfGroup }))
    .filter(({ pool, mostOfGroup }) => mostOfGroup > 1 && pool.places() > fewest(most(pool)))
    .toSorted((a, b) => b.mostOfGroup - a.mostOfGroup)
  crowded?.pool.resize(Math.max(fewest(most(crowded.pool)), crowded.pool.places() >> 1))
}

/** How late turns of the event loop came since the last reading, in the middle, in milliseconds. */
export type LoopDelay = { readMs(): number; stop(): void }

export function measureLoopDelay(): LoopDelay {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs })
  delays.enable()
  return {
    readMs() {
      const delayMs = delays.percentile(50) / 1e6 - resolutionMs
      delays.reset()
      return delayMs
    },
    stop: () => void delays.disable()
  }
}

/** Eases a process twice a second. */
export function watchLoad({
  loopDelay,
  report,
  log,
  ...process
}: {
  pools: readonly Eased[]
  /** places of this process for each action it works on, when it is not busy */
  placesOf: ReadonlyMap<AiAction, number>
  seatsOf: (action: AiAction) => OwnerConcurrency
  /** stopped with the watch */
  loopDelay: LoopDelay
  report?: ReportWork | undefined
  log: Logger
}): Repeated {
  const easing = repeat({
    name: 'load',
    everyMs,
    async work() {
      ease({ ...process, delayMs: loopDelay.readMs() })
    },
    report,
    log
  })
  return {
    async stop() {
      loopDelay.stop()
      await easing.stop()
    }
  }
}
