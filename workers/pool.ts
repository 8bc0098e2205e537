import { DelayedError, type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from '../lib/logger.ts'
import type { FairLine } from '../lib/queues/fair-line.ts'
import { jobDefaults, type QueuedJob, queuePrefix } from '../lib/queues/queues.ts'
import type { AiAction } from '../lib/actions/actions.ts'
import type { OwnerScope } from '../lib/sharing/owner-scope.ts'
import type { Outcome, RunJob } from './run-job.ts'
import type { OwnerConcurrency } from './owner-concurrency.ts'

/**
 * A worker that dies is noticed after its lock has run out and the next check: 3 s + 0.5 s. The check is shared by all
 * workers of a queue, so every one must have the same interval (BullMQ's guide, "Stalled jobs").
 */
const lockMs = 3_000
const stalledCheckMs = 500
/** Crashes are counted and capped in the row; BullMQ's own cap must not come first. */
const maxStalledCount = 1_000

export type Pool = {
  action: AiAction
  /** jobs at once, now */
  places(): number
  /** From now on so many jobs at once; what runs goes on. */
  resize(places: number): void
  /** Takes no further jobs; does not wait for those that run. */
  pause(): Promise<void>
  close(): Promise<void>
}

/** Jobs that a pool for newcomers puts back before it takes no more: the front of the line has one of each who waits. */
const putBackAtMost = 50

/**
 * The only place that opens a BullMQ worker: translates between its world and `runJob`.
 * @param newcomersOnly puts back the jobs of those who have a place in this process already
 */
export function createPool({
  action,
  concurrency,
  redis,
  redisPrefix,
  line,
  seats,
  owners,
  newcomersOnly = false,
  runJob,
  log
}: {
  action: AiAction
  concurrency: number
  redis: Redis
  redisPrefix: string
  line: FairLine
  seats: OwnerConcurrency
  owners: Pick<OwnerScope, 'run'>
  newcomersOnly?: boolean
  runJob: RunJob
  log: Logger
}): Pool {
  let putBack = 0

  async function deliver(job: Job<QueuedJob>, token: string | undefined): Promise<unknown> {
    const { jobId, owner = '', group = owner } = job.data
    line.placeSoon()
    // What a dead worker had goes first wherever it is taken.
    const isFirst = job.opts.lifo === true || job.stalledCounter > 0
    if (newcomersOnly && !isFirst && seats.of(owner) > 0) {
      if (++putBack >= putBackAtMost) void worker.pause(true)
      await job.moveToWait(token)
      await line.putBack(jobId)
      throw new WaitingError()
    }
    seats.take(owner, group)
    try {
      return await translate(job, token, await owners.run(owner, () => runJob(jobId)))
    } finally {
      seats.free(owner, group, !newcomersOnly)
    }
  }

  const worker = new Worker<QueuedJob>(action, deliver, {
    connection: redis as never,
    prefix: queuePrefix(redisPrefix),
    concurrency,
    lockDuration: lockMs,
    stalledInterval: stalledCheckMs,
    maxStalledCount,
    removeOnComplete: jobDefaults.removeOnComplete,
    removeOnFail: jobDefaults.removeOnFail,
    metrics: { maxDataPoints: 60 * 24 }
  })
  worker.on('error', (error: Error & { code?: string }) => {
    log.debug({ queue: action, code: error.code ?? error.name }, 'queue worker met an error')
  })
  return {
    action,
    places: () => worker.concurrency,
    resize(places) {
      worker.concurrency = places
    },
    pause: () => worker.pause(true),
    close: () => worker.close()
  }
}

async function translate(job: Job<QueuedJob>, token: string | undefined, outcome: Outcome): Promise<unknown> {
  if (outcome.kind === 'done') return { status: outcome.status }
  if (outcome.kind === 'failed') throw new UnrecoverableError(outcome.code)
  await job.moveToDelayed(Date.now() + outcome.delayMs, token)
  throw new DelayedError()
}
