import { createSweeper } from '../dead-letters/sweep.ts'
import type { DeadLetters } from '../dead-letters/dead-letters.ts'
import { deltaTables, type RollUpStore, rollUpKind } from '../store/audit/roll-ups.ts'

/** Looked at one by one, when all together cannot be folded. */
const carefulAtOnce = 2_000

/**
 * Rolls figures up. A delta that cannot be folded is put aside and stays where it is, so that readers, who add deltas and
 * roll-ups, go on counting it.
 */
export function createRollUps({ store, deadLetters }: { store: RollUpStore; deadLetters: DeadLetters }) {
  const sweepers = deltaTables.map((table) => [table, createSweeper({ kind: rollUpKind(table), deadLetters })] as const)
  return {
    /**
     * Folds the oldest deltas, of audits and of the ledger each `limit` at most.
     * @returns whether there may be more; `undefined` when another caller is at work
     */
    async fold(limit: number): Promise<boolean | undefined> {
      let more: boolean | undefined
      for (const [table, sweep] of sweepers) {
        let wasCareful = true
        const folded = await sweep({
          async all() {
            const answer = await store.fold(table, limit)
            wasCareful = false
            return answer
          },
          next: () => store.oldest(table, Math.min(limit, carefulAtOnce)),
          these: (ids) => store.foldThese(table, ids)
        })
        if (wasCareful) more = true
        else if (folded !== undefined) more ||= folded
      }
      return more
    }
  }
}
