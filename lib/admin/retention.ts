import { createSweeper } from '../dead-letters/sweep.ts'
import type { DeadLetters } from '../dead-letters/dead-letters.ts'
import { type AuditRetentionStore, type Retained, retentionKind } from '../store/audit/retention.ts'
import type { DeadLetterStore } from '../store/operations/dead-letters.ts'

const kinds: Retained[] = ['audits', 'failed_logins']

/** Takes out audits, failed logins and dead letters that are older than they are to be kept, a little at a time. */
export function createAuditRetention({
  store,
  deadLetters,
  deadLetterStore
}: {
  store: AuditRetentionStore
  deadLetters: DeadLetters
  deadLetterStore: Pick<DeadLetterStore, 'removeOld'>
}) {
  const sweepers = new Map(kinds.map((what) => [what, createSweeper({ kind: retentionKind(what), deadLetters })]))
  return {
    /** @returns whether there may be more */
    async removeOld(days: number, limit: number): Promise<boolean> {
      let more = (await deadLetterStore.removeOld(days, limit)) === limit
      for (const [what, sweep] of sweepers) {
        const removed = await sweep({
          all: () => store.removeOld(what, days, limit),
          next: () => store.old(what, days, limit),
          these: (ids) => store.remove(what, ids)
        })
        if (removed === undefined || removed === limit) more = true
      }
      return more
    }
  }
}
