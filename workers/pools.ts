import type { Redis } from 'ioredis'
import type { ReportWork } from '../lib/time/work-report.ts'
import type { Logger } from '../lib/logger.ts'
import type { Queues } from '../lib/queues/queues.ts'
import type { AiAction } from '../lib/actions/actions.ts'
import type { OwnerScope } from '../lib/sharing/owner-scope.ts'
import type { JobStore } from '../lib/store/jobs/jobs.ts'
import { type LoopDelay, measureLoopDelay, watchLoad } from './load.ts'
import { watchNewcomers } from './newcomers.ts'
import { createPool, type Pool } from './pool.ts'
import type { RunJob } from './run-job.ts'
import { createOwnerConcurrency, type OwnerConcurrency } from './owner-concurrency.ts'
import { watchDeadWorkers } from './takeover.ts'

/**
 * The pools of a process, with what adds places to them for a while: for jobs of dead workers, and for people who have
 * none.
 * @param placesOf how many jobs at once, for each action this process works on
 */
export function createPools({
  placesOf,
  redisOf,
  redisPrefix,
  queues,
  store,
  owners,
  runJob,
  loopDelay = measureLoopDelay(),
  report,
  log
}: {
  placesOf: ReadonlyMap<AiAction, number>
  /** a client for BullMQ's blocking connections, one for each action */
  redisOf: (action: AiAction) => Redis
  redisPrefix: string
  queues: Pick<Queues, 'of' | 'line'>
  store: Pick<JobStore, 'abandoned'>
  owners: Pick<OwnerScope, 'run'>
  runJob: RunJob
  /** of this process; a busy one takes fewer jobs at once */
  loopDelay?: LoopDelay
  report?: ReportWork
  log: Logger
}): { pause(): Promise<void>; close(): Promise<void> } {
  const actions = [...placesOf.keys()]
  const clients = new Map(actions.map((action) => [action, redisOf(action)]))
  const seats = new Map(actions.map((action) => [action, createOwnerConcurrency()]))
  const seatsOf = (action: AiAction) => seats.get(action) as OwnerConcurrency

  const open = (action: AiAction, concurrency: number, newcomersOnly: boolean): Pool =>
    createPool({
      action,
      concurrency,
      redis: clients.get(action) as Redis,
      redisPrefix,
      line: queues.line(action),
      seats: seatsOf(action),
      owners,
      newcomersOnly,
      runJob,
      log
    })
  const pools = [...placesOf].map(([action, places]) => open(action, places, false))
  const placesNow = (action: AiAction) => pools.find((pool) => pool.action === action)?.places() ?? 0
  const takeover = watchDeadWorkers({
    store,
    queues,
    placesOf,
    openPool: (action, places) => open(action, places, false),
    report,
    log
  })
  const newcomers = watchNewcomers({
    queues,
    placesOf,
    placesNow,
    seatsOf,
    openPool: (action, places) => open(action, places, true),
    report,
    log
  })
  const easing = watchLoad({ pools, placesOf, seatsOf, loopDelay, report, log })
  return {
    /** Takes no further jobs; does not wait for those that run. */
    async pause() {
      await Promise.all(pools.map((pool) => pool.pause()))
    },
    /** Resolves when everything that runs has ended. */
    async close() {
      await Promise.all([...pools.map((pool) => pool.close()), takeover.stop(), newcomers.stop(), easing.stop()])
    }
  }
}
