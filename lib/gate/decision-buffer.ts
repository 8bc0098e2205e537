import type { DecisionRecord } from './decision.ts'

/** Stream entries that Redis may already hold for a decision, and that the decision replaces. */
export type Trace = { admitted: string; decided: string }
export type BufferedDecision = { shard: number; record: DecisionRecord; trace: Trace }

/**
 * Decisions made while Redis was away, each id once: what comes later replaces what waits. Bounded: over `size` the
 * oldest are dropped and counted.
 */
export function createDecisionBuffer(size: number) {
  let waiting = new Map<string, BufferedDecision>()
  let dropped = 0

  function trim() {
    for (const id of waiting.keys()) {
      if (waiting.size <= size) return
      waiting.delete(id)
      dropped += 1
    }
  }

  return {
    get length() {
      return waiting.size
    },
    push(decision: BufferedDecision) {
      waiting.set(decision.record.id, decision)
      trim()
    },
    /** Takes out the oldest `most`. */
    take(most: number): BufferedDecision[] {
      const taken: BufferedDecision[] = []
      for (const [id, decision] of waiting) {
        if (taken.length === most) break
        taken.push(decision)
        waiting.delete(id)
      }
      return taken
    },
    putBack(decisions: BufferedDecision[]) {
      const byId = (all: Iterable<BufferedDecision>) => Array.from(all, (one) => [one.record.id, one] as const)
      waiting = new Map([...byId(decisions), ...byId(waiting.values())])
      trim()
    },
    /** @returns how many were dropped since this was last asked */
    takeDropped(): number {
      const count = dropped
      dropped = 0
      return count
    }
  }
}
