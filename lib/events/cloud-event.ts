import type { CloudEvent } from '../schemas/cloud-event.ts'
import type { LogEntry } from '../store/events/events.ts'

/** The `source` of everything this platform says: with `id` it names an event uniquely (CloudEvents 1.0, 3.1.1). */
const eventSource = 'urn:ai-goals-tracker'

/** Renders a log entry; an absent subject is left out, because CloudEvents knows no null there. */
export function toCloudEvent({ id, type, subject, time, data }: LogEntry): CloudEvent {
  return {
    specversion: '1.0',
    id,
    source: eventSource,
    type,
    ...(subject === null ? {} : { subject }),
    time: time.toISOString(),
    datacontenttype: 'application/json',
    data
  }
}
