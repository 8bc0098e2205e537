import { pause } from '../lib/events/pause.ts'
import type { Logger } from '../lib/logger.ts'

export type Repeated = {
  /** Resolves when the work in hand is done. */
  stop(): Promise<void>
}

/**
 * Does something again and again, with a pause after each time. A failure is logged once until it works again: what is
 * repeated must bear being done late.
 * @param name for the log
 * @param work gets a signal that is aborted when it should come to an end
 */
export function repeat({
  name,
  everyMs,
  work,
  log
}: {
  name: string
  everyMs: number
  work: (signal: AbortSignal) => Promise<unknown>
  log: Logger
}): Repeated {
  const stopping = new AbortController()
  const { signal } = stopping

  async function run(): Promise<void> {
    let failing = false
    while (!signal.aborted) {
      try {
        await work(signal)
        failing = false
      } catch (error) {
        if (!failing) log.warn({ work: name, err: error }, 'work beside the jobs has to be tried again')
        failing = true
      }
      await pause(everyMs, signal)
    }
  }
  const running = run()

  return {
    async stop() {
      stopping.abort()
      await running
    }
  }
}
