import type { Knex } from 'knex'
import { publishedEvents } from '../store/events/published-events.ts'
import type { EventLog } from './log.ts'

/** A refused request: what it asked for, and when, in milliseconds since 1970. */
export type Refusal = { action: string; at: number }

export type RefusalEvents = ReturnType<typeof createRefusalEvents>

const type = 'rate_limit.blocked'
const minuteMs = 60_000

/**
 * Tells of refusals, whoever refused: at most once a minute for a user and action, however many writers there are. One
 * that came within a minute of one that was told, before or after it, is not told.
 */
export function createRefusalEvents({ events }: { events: EventLog }) {
  return async (trx: Knex.Transaction, userId: string, refusals: Refusal[]): Promise<void> => {
    const told = (await publishedEvents(trx, type, userId)).map(({ action, at }) => ({
      action,
      at: Date.parse(String(at))
    }))
    for (const { action, at } of refusals.toSorted((a, b) => a.at - b.at)) {
      if (told.some((other) => other.action === action && Math.abs(other.at - at) < minuteMs)) continue
      told.push({ action, at })
      await events.append(trx, {
        type,
        userId,
        subject: userId,
        data: { userId, action, at: new Date(at).toISOString() }
      })
    }
  }
}
