import { AppError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { EventStore } from '../store/events.ts'
import { toCloudEvent } from './cloud-event.ts'
import type { EventFeed, LoggedEvent } from './feed.ts'
import { pause } from './pause.ts'

/** One channel of the log from some position on. */
export type Tail = {
  /** What follows is everything of the channel after this position. */
  position: number
  /** False when the wanted position is one the log no longer reaches back to, or never gave. */
  recovered: boolean
  /**
   * Begins: first what the log has, then what comes, in order, without gap or repeat.
   * @param deliver may return a promise while the log is read, to be given no more than it can take
   */
  start(deliver: (event: LoggedEvent) => void | Promise<void>): void
  stop(): void
}

/** @param after a position; `start`: everything the log still has; absent: only what comes */
export type OpenTail = (channel: string, after: number | 'start' | undefined) => Promise<Tail>

const pageSize = 50
const retryMs = 500

/**
 * Opens channels at a position that a reader remembers.
 *
 * Nothing is buffered between the log and the feed: while a tail reads the log it ignores the feed, and goes over to
 * it at the moment when it has read as far as the feed has handed out.
 */
export function createTails({
  feed,
  events,
  log
}: {
  feed: Pick<EventFeed, 'position' | 'listen'>
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
    let recovered = true
    let wanted: number | undefined
    if (after !== undefined) {
      const { last, trimmed } = await events.ends()
      wanted = after === 'start' ? trimmed : after
      recovered = wanted >= trimmed && wanted <= last
    }
    let cursor = wanted !== undefined && recovered ? wanted : end()
    let live = false
    let unlisten: (() => void) | undefined
    const stopping = new AbortController()

    async function catchUp(deliver: (event: LoggedEvent) => void | Promise<void>): Promise<void> {
      while (!stopping.signal.aborted) {
        const upTo = end()
        if (cursor >= upTo) {
          live = true
          return
        }
        try {
          const page = await events.ofChannel(channel, cursor, upTo, pageSize)
          for (const entry of page) {
            if (stopping.signal.aborted) return
            await deliver({ position: entry.position, event: toCloudEvent(entry) })
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
      start(deliver) {
        unlisten = feed.listen(channel, (logged) => {
          if (!live || logged.position <= cursor) return
          cursor = logged.position
          void deliver(logged)
        })
        void catchUp(deliver)
      },
      stop() {
        stopping.abort()
        unlisten?.()
      }
    }
  }
}
