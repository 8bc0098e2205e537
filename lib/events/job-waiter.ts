import type { Logger } from '../logger.ts'
import type { EventFeed } from './feed.ts'

/** Waits for the end of jobs, for requests with `Prefer: wait`. Holds no database connection while it does. */
export type JobWaiter = {
  /**
   * @returns `ended` when the job's last state is committed (also when it was before), `timeout` when it is not after
   *   `timeoutMs` or the signal was aborted. The caller reads the job again.
   */
  wait(jobId: string, timeoutMs: number, signal: AbortSignal): Promise<'ended' | 'timeout'>
}

const pollMs = 1_000

/** Whether an event says that its job has ended. */
export const isJobEnd = (type: string): boolean => /^job\.(completed|failed|cancelled)\./.test(type)

/**
 * @param endedAmong of these jobs, those that have ended (or are gone): asked at the beginning of each wait and once a
 *   second for all that wait, because not every end is told and Redis may be away
 */
export function createJobWaiter({
  feed,
  endedAmong,
  log
}: {
  feed: Pick<EventFeed, 'listen'>
  endedAmong: (jobIds: string[]) => Promise<string[]>
  log: Logger
}): JobWaiter {
  const waiting = new Map<string, Set<() => void>>()
  let timer: NodeJS.Timeout | undefined
  let looking = false

  async function look(jobIds: string[]): Promise<void> {
    try {
      for (const jobId of await endedAmong(jobIds)) {
        for (const resolve of waiting.get(jobId) ?? []) resolve()
      }
    } catch (error) {
      log.warn({ err: error }, 'the end of jobs could not be looked up')
    }
  }

  async function lookAgain(): Promise<void> {
    if (looking) return
    looking = true
    await look([...waiting.keys()])
    looking = false
  }

  return {
    async wait(jobId, timeoutMs, signal) {
      if (signal.aborted) return 'timeout'
      const ends = Promise.withResolvers<'ended' | 'timeout'>()
      const ended = () => ends.resolve('ended')
      const timedOut = () => ends.resolve('timeout')
      const unlisten = feed.listen(`job:${jobId}`, ({ event }) => {
        if (isJobEnd(event.type)) ended()
      })
      const own = waiting.get(jobId) ?? new Set()
      waiting.set(jobId, own.add(ended))
      const deadline = setTimeout(timedOut, timeoutMs)
      signal.addEventListener('abort', timedOut)
      void look([jobId])
      timer ??= setInterval(() => void lookAgain(), pollMs)
      try {
        return await ends.promise
      } finally {
        unlisten()
        own.delete(ended)
        if (own.size === 0) waiting.delete(jobId)
        if (waiting.size === 0) {
          clearInterval(timer)
          timer = undefined
        }
        clearTimeout(deadline)
        signal.removeEventListener('abort', timedOut)
      }
    }
  }
}
