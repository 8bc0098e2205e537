import { isOutage } from '../errors/outage.ts'
import type { EventStore } from '../store/events/events.ts'
import { type Outgoing, toOutgoing } from './outgoing.ts'

/**
 * Reads the log on from a position, so many events at once. When that fails and the database is there, fewer are read,
 * down to one; one that cannot be read by itself is handed to `setAside` and passed by.
 * @returns the events, and the position up to which nothing was left out but what was set aside
 */
export function createLogReader({
  events,
  setAside
}: {
  events: Pick<EventStore, 'after' | 'nextAfter'>
  setAside: (eventId: string, error: unknown) => Promise<void>
}): (position: number, most: number) => Promise<{ batch: Outgoing[]; from: number }> {
  return async (position, most) => {
    let from = position
    let limit = most
    for (;;) {
      try {
        return { batch: toOutgoing(await events.after(from, limit), from), from }
      } catch (error) {
        if (isOutage(error)) throw error
        if (limit > 1) {
          limit >>= 1
          continue
        }
        const unreadable = await events.nextAfter(from)
        if (!unreadable) throw error
        await setAside(unreadable.id, error)
        from = unreadable.position
        limit = most
      }
    }
  }
}
