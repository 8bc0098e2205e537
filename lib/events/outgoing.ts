import type { CloudEvent } from '../schemas/cloud-event.ts'
import type { LogEntry } from '../store/events/events.ts'
import { toCloudEvent } from './cloud-event.ts'

/** A placed event on its way out, rendered once for all sinks. */
export type Outgoing = {
  position: number
  /** the position before it in the log: whoever has seen that one misses nothing */
  previous: number
  userId: string | null
  channels: string[]
  event: CloudEvent
  /** the event as JSON */
  body: string
  bytes: number
}

/** @param previous the position before the first entry */
export function toOutgoing(entries: LogEntry[], previous: number): Outgoing[] {
  return entries.map((entry, i) => {
    const event = toCloudEvent(entry)
    const body = JSON.stringify(event)
    return {
      position: entry.position,
      previous: i === 0 ? previous : (entries[i - 1] as LogEntry).position,
      userId: entry.userId,
      channels: entry.channels,
      event,
      body,
      bytes: Buffer.byteLength(body)
    }
  })
}
