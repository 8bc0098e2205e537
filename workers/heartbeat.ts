import { Worker } from 'node:worker_threads'
import type { Logger } from '../lib/logger.ts'
import type { WorkerStore } from '../lib/store/operations/workers.ts'
import type { HeartbeatData } from './heartbeat-thread.ts'

const everyMs = 1_000
const tickMs = 250
const hangsAfterMs = 20_000

/**
 * Tells the database once a second that this worker lives, so that its active jobs are left alone. A thread does it:
 * heavy work on the main thread must not look like a death, while a process that is frozen or killed falls silent.
 */
export function createHeartbeat({
  store,
  worker,
  queues,
  database,
  log
}: {
  store: WorkerStore
  worker: string
  queues: readonly string[]
  database: { databaseUrl: string; schema: string }
  log: Logger
}) {
  const ticks = new SharedArrayBuffer(4)
  const counter = new Int32Array(ticks)
  let timer: NodeJS.Timeout | undefined
  let thread: Worker | undefined

  function startThread(): void {
    const workerData: HeartbeatData = { ...database, worker, queues, ticks, everyMs, hangsAfterMs }
    thread = new Worker(new URL('./heartbeat-thread.ts', import.meta.url), { workerData })
    thread.on('error', (error) => {
      log.error({ err: error }, 'the heartbeat thread failed, starting it again')
      if (timer) setTimeout(startThread, everyMs).unref()
    })
  }

  return {
    /** Resolves when the first beat is written: no job may be started before. */
    async start(): Promise<void> {
      await store.heartbeat(worker, queues)
      timer = setInterval(() => Atomics.add(counter, 0, 1), tickMs)
      startThread()
    },
    async stop(): Promise<void> {
      clearInterval(timer)
      timer = undefined
      await thread?.terminate()
      await store.farewell(worker).catch(() => undefined) // it will be forgotten after a day
    }
  }
}
