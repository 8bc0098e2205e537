import type { DecisionRecord } from './decision.ts'

/** Stream entries that Redis may already hold for a decision, and that the decision replaces. */
export type Trace = { admitted: string; decided: string }
export type BufferedDecision = { shard: number; record: DecisionRecord; trace: Trace }

/**
 * Decisions made while Redis was away. Bounded: over `size` the oldest are dropped and counted.
 */
export function createDecisionBuffer(size: number) {
  let waiting: BufferedDecision[] = []
  let dropped = 0

  function trim() {
    if (waiting.length <= size) return
    dropped += waiting.length - size
    waiting = waiting.slice(-size)
  }

  return {
    get length() {
      return waiting.length
    },
    push(decision: BufferedDecision) {
      waiting.push(decision)
      // cut in larger pieces, or a full buffer would be copied for every decision
      if (waiting.length > size * 1.25 + 1) trim()
    },
    /** Takes out the oldest `most`. */
    take(most: number): BufferedDecision[] {
      trim()
      return waiting.splice(0, most)
    },
    putBack(decisions: BufferedDecision[]) {
      waiting = [...decisions, ...waiting]
      trim()
    },
    /** @returns how many were dropped since this was last asked */
    takeDropped(): number {
      trim()
      const count = dropped
      dropped = 0
      return count
    }
  }
}
