import type { Logger } from '../lib/logger.ts'
import type { JobStore } from '../lib/store/jobs.ts'

const everyMs = 1_000

/** Tells the database once a second that this worker lives, so that its active jobs are left alone. */
export function createHeartbeat({
  store,
  worker,
  queues,
  log
}: {
  store: JobStore
  worker: string
  queues: readonly string[]
  log: Logger
}) {
  let timer: NodeJS.Timeout | undefined
  let beating = Promise.resolve()
  const beat = () => {
    beating = store.heartbeat(worker, queues).catch((error: unknown) => {
      log.debug({ err: error }, 'heartbeat could not be written')
    })
    return beating
  }
  return {
    /** Resolves when the first beat is written: no job may be started before. */
    async start(): Promise<void> {
      await store.heartbeat(worker, queues)
      timer = setInterval(() => void beat(), everyMs)
    },
    async stop(): Promise<void> {
      clearInterval(timer)
      await beating
      await store.farewell(worker).catch(() => undefined) // it will be forgotten after a day
    }
  }
}
