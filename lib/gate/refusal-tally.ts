import type { BufferedDecision } from './decision-buffer.ts'

/** Refused requests of a subject and action in a minute that are audit rows of their own; those beyond are counted. */
export const ownRefusals = 60

/**
 * Counts refusals of a process that decides alone, as `take.lua` does: those beyond `ownRefusals` of a minute, divided
 * among the processes, are one record that says how many there were so far.
 * @param size subjects, actions and minutes remembered; the oldest is forgotten first and counts from the beginning
 */
export function createRefusalTally(size: number) {
  const counts = new Map<string, { count: number; first?: BufferedDecision }>()

  return {
    /**
     * @param subject whose refusal it is, in any form that names it
     * @returns what is to be stored for it: itself, or a record under an id that was used before
     */
    add(decision: BufferedDecision, subject: string, shares: number): BufferedDecision {
      const { record, trace } = decision
      // One that Redis may know of under its own id must get there under that id.
      if (trace.admitted !== '' || trace.decided !== '') return decision
      const key = `${subject} ${record.action} ${record.outcome} ${Math.floor(record.at / 60_000)}`
      const known = counts.get(key) ?? { count: 0 }
      if (known.count === 0 && counts.size >= size) counts.delete(counts.keys().next().value as string)
      counts.set(key, known)
      known.count += 1
      const beyond = known.count - Math.max(1, Math.floor(ownRefusals / shares))
      if (beyond <= 0) return decision
      known.first ??= decision
      return { ...known.first, record: { ...known.first.record, repeats: beyond - 1 } }
    }
  }
}
