import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Logger } from '../lib/logger.ts'
import { jobDefaults, type QueuedJob, queuePrefix } from '../lib/queues/queues.ts'
import type { AiAction } from '../lib/schemas/actions.ts'
import type { RunJob } from './run-job.ts'

/**
 * A worker that dies is noticed after its lock has run out and the next check: 3 s + 0.5 s. The check is shared by all
 * workers of a queue, so every one must have the same interval (BullMQ's guide, "Stalled jobs").
 */
const lockMs = 3_000
const stalledCheckMs = 500
/** Crashes are counted and capped in the row; BullMQ's own cap must not come first. */
const maxStalledCount = 1_000

export type Pool = { action: AiAction; close(): Promise<void>; pause(): Promise<void> }

/** The only place that opens a BullMQ worker: translates between its world and `runJob`. */
export function createPool({
  action,
  concurrency,
  redis,
  redisPrefix,
  runJob,
  log
}: {
  action: AiAction
  concurrency: number
  redis: Redis
  redisPrefix: string
  runJob: RunJob
  log: Logger
}): Pool {
  const worker = new Worker<QueuedJob>(action, (job, token) => deliver(job, token, runJob), {
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
    /** Takes no further jobs; does not wait for those that run. */
    pause: () => worker.pause(true),
    close: () => worker.close()
  }
}

async function deliver(job: Job<QueuedJob>, token: string | undefined, runJob: RunJob): Promise<unknown> {
  const outcome = await runJob(job.data.jobId)
  if (outcome.kind === 'done') return { status: outcome.status }
  if (outcome.kind === 'failed') throw new UnrecoverableError(outcome.code)
  await job.moveToDelayed(Date.now() + outcome.delayMs, token)
  throw new DelayedError()
}
