import type { RetryDeadLetter } from '../dead-letters/retry.ts'
import { NamedFailure } from '../errors/failure.ts'
import type { EventStore } from '../store/events/events.ts'
import { toOutgoing } from './outgoing.ts'
import type { Sink } from './sink.ts'

const patienceMs = 10_000

/**
 * Delivers one event of the log to one sink again: late, so out of its order.
 * Rejects when it was refused again, or is no longer in the log (`gone`).
 */
export function createRedeliver({ events, sink }: { events: Pick<EventStore, 'entry'>; sink: Sink }): RetryDeadLetter {
  return async ({ key }) => {
    const entry = await events.entry(key)
    if (!entry) throw new NamedFailure('gone', 'the event is no longer in the log')
    let arrived = false
    const confirmed = () => {
      arrived = true
    }
    const batch = toOutgoing([entry], entry.position - 1)
    const [refused] = (await sink.deliver(batch, confirmed, AbortSignal.timeout(patienceMs))) ?? []
    if (refused) throw refused.error
    if (!arrived) throw new NamedFailure('unavailable', `${sink.name} is away for now`, { retryAfterMs: 30_000 })
  }
}
