import type { EventLog } from '../events/log.ts'
import { minuteMs } from '../store/spans.ts'
import type { SuspiciousStore } from '../store/suspicious.ts'
import type { Transaction } from '../store/transaction.ts'
import { toldNews } from '../store/told-news.ts'
import type { Finding, Rule } from './suspicion-rules.ts'

const type = 'rate_limit.suspicious'
const everyMs = minuteMs
/** Audits that come late, because a writer died or waited for the database, are still seen. */
const latenessMs = 5 * minuteMs
/** After a longer time without a watch nobody needs the news any more; the report shows all. */
const longestGapMs = 60 * minuteMs

/**
 * Looks for suspicious activity once a minute, whichever process asks, and tells of each finding once: an event
 * `rate_limit.suspicious` for a user and rule, and none again before a look whose time does not touch that of the last
 * one that found the same. A spike is told once for its day.
 */
export function createSuspicionWatch({
  rules,
  store,
  transaction,
  events
}: {
  rules: Rule[]
  store: SuspiciousStore
  transaction: Transaction
  events: EventLog
}) {
  async function tell({ userId, code, observed, threshold, day }: Finding, from: Date, now: Date): Promise<void> {
    await transaction.transact(async (trx) => {
      const since = await store.see(trx, { userId, code, since: day ?? now, now, goesOnFrom: day ? null : from })
      if (!since) return
      const at = since.toISOString()
      const told = await toldNews(trx, type, userId)
      if (told.some((other) => other.code === code && other.at === at)) return
      await events.append(trx, { type, userId, subject: userId, data: { userId, code, observed, threshold, at } })
    })
  }

  return {
    /** @returns how many findings it saw, or `undefined` when it is not yet time to look again */
    async look(now = new Date()): Promise<number | undefined> {
      const look = await store.beginLook(now, everyMs)
      if (!look) return undefined
      const gapMs = look.before ? Math.min(now.getTime() - look.before.getTime(), longestGapMs) : longestGapMs
      let seen = 0
      for (const { windowMs, find } of rules) {
        const from = new Date(now.getTime() - windowMs - gapMs - latenessMs)
        for (const finding of await find({ from, to: now })) {
          await tell(finding, from, now)
          seen += 1
        }
      }
      return seen
    }
  }
}
