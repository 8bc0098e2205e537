import type { Redis } from 'ioredis'
import type { Logger } from '../lib/logger.ts'
import { cancelChannel } from '../lib/jobs/jobs.ts'
import type { JobStore } from '../lib/store/jobs/jobs.ts'
import type { RunningJobs } from './running-jobs.ts'

const everyMs = 500

/**
 * Aborts runs that are no longer in charge of their job: at once when Redis says that a job was cancelled, and by
 * asking the database twice a second besides, because a message can be lost. One query for all runs of the process.
 */
export function createRunWatch({
  store,
  running,
  subscriber,
  prefix,
  log
}: {
  store: JobStore
  running: RunningJobs
  subscriber: Redis
  prefix: string
  log: Logger
}) {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const onMessage = (channel: string, jobId: string) => {
    if (channel === cancelChannel(prefix)) running.abort(jobId, 'lost')
  }

  async function look(): Promise<void> {
    const runs = running.list()
    if (runs.length === 0) return
    // By the time of the answer the next run of a job may have begun here.
    for (const { id, run } of await store.lostRuns(runs)) running.abort(id, 'lost', run)
  }

  function schedule(): void {
    if (stopped) return
    timer = setTimeout(() => {
      void look()
        .catch((error: unknown) => log.debug({ err: error }, 'running jobs could not be looked up'))
        .finally(schedule)
    }, everyMs)
  }

  return {
    start(): void {
      subscriber.on('message', onMessage)
      void subscriber.subscribe(cancelChannel(prefix)).catch(() => undefined) // resubscribed by the client on reconnection
      schedule()
    },
    stop(): void {
      stopped = true
      clearTimeout(timer)
      subscriber.off('message', onMessage)
    }
  }
}
