import type { DeadLetters } from '../dead-letters/dead-letters.ts'
import type { EventLog } from '../events/log.ts'
import { isOutage } from '../errors/outage.ts'
import { minuteMs } from '../time/time-ranges.ts'
import type { SuspiciousStore } from '../store/audit/suspicious.ts'
import type { Transaction } from '../store/transaction.ts'
import { publishedEvents } from '../store/events/published-events.ts'
import type { Finding, Rule } from './suspicion-rules.ts'

const type = 'rate_limit.suspicious'
export const suspicionKind = 'suspicious_activity'
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
  events,
  deadLetters
}: {
  rules: Rule[]
  store: SuspiciousStore
  transaction: Transaction
  events: EventLog
  deadLetters: DeadLetters
}) {
  async function tell({ userId, code, observed, threshold, day }: Finding, from: Date, now: Date): Promise<void> {
    await transaction.transact(async (trx) => {
      const since = await store.see(trx, { userId, code, since: day ?? now, now, goesOnFrom: day ? null : from })
      if (!since) return
      const at = since.toISOString()
      const told = await publishedEvents(trx, type, userId)
      if (told.some((other) => other.code === code && other.at === at)) return
      await events.append(trx, { type, userId, subject: userId, data: { userId, code, observed, threshold, at } })
    })
  }

  /** A finding that cannot be told keeps no other back. */
  async function tellOrSetAside(finding: Finding, from: Date, now: Date): Promise<void> {
    try {
      await tell(finding, from, now)
    } catch (error) {
      if (isOutage(error)) throw error
      const { userId, code, day } = finding
      const key = [userId, code, ...(day ? [day.toISOString()] : [])].join(' ')
      await deadLetters.setAside({ kind: suspicionKind, key, payload: { ...finding, from, now }, error })
    }
  }

  return {
    /** Tells a finding that was put aside. */
    async retry(payload: unknown): Promise<void> {
      const { from, now, day, ...finding } = payload as Finding & { from: string; now: string; day?: string }
      await tell({ ...finding, ...(day ? { day: new Date(day) } : {}) }, new Date(from), new Date(now))
    },

    /** @returns how many findings it saw, or `undefined` when it is not yet time to look again */
    async look(now = new Date()): Promise<number | undefined> {
      const look = await store.beginLook(now, everyMs)
      if (!look) return undefined
      const gapMs = look.before ? Math.min(now.getTime() - look.before.getTime(), longestGapMs) : longestGapMs
      let seen = 0
      const errors: unknown[] = []
      for (const { windowMs, find } of rules) {
        const from = new Date(now.getTime() - windowMs - gapMs - latenessMs)
        try {
          for (const finding of await find({ from, to: now })) {
            await tellOrSetAside(finding, from, now)
            seen += 1
          }
        } catch (error) {
          if (isOutage(error)) throw error
          errors.push(error) // the other rules have nothing to do with it
        }
      }
      if (errors.length > 0) throw errors[0]
      return seen
    }
  }
}
