import type { CloudEvent } from '../schemas/cloud-event.ts'
import type { LogEntry } from '../store/events/events.ts'

/** The `source` of everything this platform says: with `id` it names an event uniquely (CloudEvents 1.0, 3.1.1). */
const eventSource = 'urn:ai-goals-tracker'

/** Results beyond this many bytes of JSON are not carried by news: `GET /jobs/:id` has them. */
const maxResultBytes = 64 * 1024

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

/**
 * A job as news carries it: with its result, or, when that is over 64 KiB, with `result: null` and
 * `resultOmitted: true`. Anything else comes back as it is.
 */
export function withoutLargeResult<T>(data: T): T {
  if (typeof data !== 'object' || data === null || !('result' in data)) return data
  const { result } = data
  if (result === null || result === undefined) return data
  if (Buffer.byteLength(JSON.stringify(result)) <= maxResultBytes) return data
  return { ...data, result: null, resultOmitted: true }
}
