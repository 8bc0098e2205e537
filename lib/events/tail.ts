import { AppError } from '../errors/app-error.ts'
import type { Logger } from '../logger.ts'
import type { EventStore } from '../store/events/events.ts'
import { toCloudEvent } from './cloud-event.ts'
import type { EventFeed, LoggedEvent } from './feed.ts'
import { orAborted, pause } from '../time/pause.ts'

/** Who reads a channel. */
export type Reader = {
  /** Takes an event that has just come. False when it cannot now: it will be given this and what follows at its pace. */
  push(event: LoggedEvent): boolean
  /** Takes an event from the log; resolves when there is room for the next. Never rejects. */
  give(event: LoggedEvent): Promise<void>
  /** An event came that has to wait, because an earlier one could not be pushed. */
  owed?(event: LoggedEvent): void
  /** Nothing waits any more. */
  caughtUp?(): void
}

/** One channel of the log from some position on. */
export type Tail = {
  /** What follows is everything of the channel after this position. */
  position: number
  /** False when the wanted position is one the log no longer reaches back to, or never gave. */
  recovered: boolean
  /** Begins: first what the log has, then what comes, in order, without gap or repeat. */
  start(reader: Reader): void
  stop(): void
}

/** @param after a position; `start`: everything the log still has; absent: only what comes */
export type OpenTail = (channel: string, after: number | 'start' | undefined) => Promise<Tail>

const pageSize = 50
const retryMs = 500
/** How long a tail waits for a process that has just started. */
const readyMs = 2_000

/**
 * Opens channels at a position that a reader remembers.
 *
 * Nothing is buffered between the log and the feed: while a tail reads the log it ignores the feed, and goes over to
 * it at the moment when it has read as far as the feed has handed out. A reader that cannot keep up with the feed goes
 * back to the log, which has room for everything.
 */
export function createTails({
  feed,
  events,
  log
}: {
  feed: Pick<EventFeed, 'position' | 'ready' | 'listen'>
  events: Pick<EventStore, 'ends' | 'ofChannel'>
  log: Logger
}): OpenTail {
  /** @throws AppError `unavailable` while the end of the log is not known */
  function end(): number {
    const position = feed.position()
    if (position === undefined) throw new AppError('unavailable', 'The event log cannot be read at the moment')
    return position
  }

  return async function openTail(channel, after) {
    if (feed.position() === undefined) await orAborted(feed.ready, AbortSignal.timeout(readyMs))
    let recovered = true
    let wanted: number | undefined
    if (after !== undefined) {
      const { last, trimmed } = await events.ends()
      wanted = after === 'start' ? trimmed : after
      recovered = wanted >= trimmed && wanted <= last
    }
    let cursor = wanted !== undefined && recovered ? wanted : end()
    let state: 'replaying' | 'live' | 'behind' = 'replaying'
    let unlisten: (() => void) | undefined
    const stopping = new AbortController()

    async function catchUp(reader: Reader): Promise<void> {
      while (!stopping.signal.aborted) {
        try {
          const upTo = end()
          if (cursor >= upTo) {
            state = 'live'
            reader.caughtUp?.()
            return
          }
          const page = await events.ofChannel(channel, cursor, upTo, pageSize)
          for (const entry of page) {
            if (stopping.signal.aborted) return
            await reader.give({ position: entry.position, event: toCloudEvent(entry) })
            cursor = entry.position
          }
          if (page.length < pageSize) cursor = upTo
        } catch (error) {
          log.warn({ err: error }, 'a channel could not be read from the event log')
          await pause(retryMs, stopping.signal)
        }
      }
    }

    return {
      position: cursor,
      recovered,
      start(reader) {
        unlisten = feed.listen(channel, (logged) => {
          if (logged.position <= cursor) return
          if (state === 'live' && reader.push(logged)) cursor = logged.position
          else if (state !== 'replaying') {
            reader.owed?.(logged)
            if (state === 'behind') return
            state = 'behind'
            void catchUp(reader)
          }
        })
        void catchUp(reader)
      },
      stop() {
        stopping.abort()
        unlisten?.()
      }
    }
  }
}
