import type { Clock } from './clock.ts'
import type { Fault } from './faults.ts'
import type { InvoiceLine } from './invoice.ts'
import type { Manner } from './manners/manner.ts'

/** What producing one answer needs to know. */
export type Work = {
  line: InvoiceLine
  signal: AbortSignal
  clock: Clock
  latencyMs: number
  pace: Pace
  fault: Fault | undefined
  manner: Manner | undefined
}

export type Pace = { wait(tokens: number): Promise<void> }

/** Every so many tokens without a pause, others get their turn. */
const BREATH = 32

/**
 * Waits for tokens at a steady speed, by a schedule and not by sums of sleeps, so that fractions of a millisecond add
 * up as they should.
 */
export function createPace(clock: Clock, tokenMs: number, signal: AbortSignal): Pace {
  let produced = 0
  let start: number | undefined
  let sinceBreath = 0
  return {
    async wait(tokens) {
      start ??= clock.now()
      produced += tokens
      const aheadMs = start + produced * tokenMs - clock.now()
      if (aheadMs >= 1) return clock.sleep(aheadMs, signal)
      sinceBreath += tokens
      if (sinceBreath >= BREATH) {
        sinceBreath = 0
        await clock.sleep(0, signal)
      }
      if (signal.aborted) throw signal.reason
    }
  }
}
