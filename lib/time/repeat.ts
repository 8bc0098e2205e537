import { type ReportWork, unreported } from './work-report.ts'
import { pause } from './pause.ts'
import type { Logger } from '../logger.ts'

export type Repeated = {
  /** Resolves when the work in hand is done. */
  stop(): Promise<void>
}

/**
 * Does something again and again, with a pause after each time. A failure is logged once until it works again: what is
 * repeated must bear being done late.
 * @param name for the log, health and metrics: lower case and underscores
 * @param work gets a signal that is aborted when it should come to an end
 */
export function repeat({
  name,
  everyMs,
  work,
  report = unreported,
  log
}: {
  name: string
  everyMs: number
  work: (signal: AbortSignal) => Promise<unknown>
  report?: ReportWork | undefined
  log: Logger
}): Repeated {
  const stopping = new AbortController()
  const { signal } = stopping
  const { succeeded, failed } = report(name)

  async function run(): Promise<void> {
    let failing = false
    while (!signal.aborted) {
      try {
        await work(signal)
        failing = false
        succeeded()
      } catch (error) {
        if (!failing) log.warn({ work: name, err: error }, 'work beside the jobs has to be tried again')
        failing = true
        failed(error)
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
