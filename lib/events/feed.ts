import type { Redis } from 'ioredis'
import type { Logger } from '../logger.ts'
import type { CloudEvent } from '../schemas/cloud-event.ts'
import type { EventStore, LogEntry } from '../store/events/events.ts'
import { toCloudEvent } from './cloud-event.ts'
import { createDoorbell } from '../time/doorbell.ts'
import { pause } from '../time/pause.ts'
import { redisChannels } from '../redis/channels.ts'
import type { EventMessage } from './redis-sink.ts'

export type LoggedEvent = { position: number; event: CloudEvent }
export type EventListener = (event: LoggedEvent) => void

export type EventFeed = {
  start(): void
  /** Ends the feed; the clients stay open. */
  stop(): Promise<void>
  /**
   * The last position that was handed out: listeners have had everything of their channel up to it, and will get
   * everything after it. `undefined` until the end of the log is known for the first time.
   */
  position(): number | undefined
  /** resolved when it is known */
  ready: Promise<void>
  /** Calls `listener` for each event of the channel from now on, in order. Returns what ends that. */
  listen(channel: string, listener: EventListener): () => void
}

const pageSize = 200
const pollMs = 1_000
const pollMsWithoutRedis = 500
const retryMs = 500

/**
 * The log as it grows, for everyone in one API process: sockets, streams and waiting requests share it.
 *
 * It follows the relay's messages on Redis. Each carries the position before it, so a message that was lost shows with
 * the next one, and the log is read instead. The log's end is looked up once a second besides, twice when Redis is
 * away: a lost message costs a moment, never an event.
 * @param subscriber a Redis client in subscriber mode; may be shared with others
 */
export function createEventFeed({
  subscriber,
  events,
  prefix,
  log
}: {
  subscriber: Redis
  events: Pick<EventStore, 'ends' | 'after'>
  prefix: string
  log: Logger
}): EventFeed {
  const channel = redisChannels(prefix).events
  const listeners = new Map<string, Set<EventListener>>()
  const stopping = new AbortController()
  const bell = createDoorbell()
  const ready = Promise.withResolvers<void>()
  let seen: number | undefined
  let target = 0
  let reading: Promise<void> | undefined
  let polling: Promise<void> | undefined

  function handOut(channels: string[], logged: LoggedEvent): void {
    seen = logged.position
    for (const name of channels) {
      for (const listener of listeners.get(name) ?? []) {
        try {
          listener(logged)
        } catch (error) {
          log.error({ err: error, type: logged.event.type }, 'a listener failed')
        }
      }
    }
  }

  const handOutEntry = (entry: LogEntry) =>
    handOut(entry.channels, { position: entry.position, event: toCloudEvent(entry) })

  /** Reads the log on to `target`. Messages that arrive meanwhile only move the target. */
  async function readOn(): Promise<void> {
    while (seen !== undefined && seen < target && !stopping.signal.aborted) {
      const upTo = target
      if (listeners.size === 0) {
        seen = upTo
        return
      }
      try {
        const page = await events.after(seen, pageSize)
        for (const entry of page) handOutEntry(entry)
        if (page.length < pageSize) seen = Math.max(seen, upTo)
      } catch (error) {
        log.warn({ err: error }, 'the event log could not be read')
        await pause(retryMs, stopping.signal)
      }
    }
  }

  function reachFor(position: number): void {
    target = Math.max(target, position)
    reading ??= readOn().finally(() => {
      reading = undefined
      // A message may have moved the target after the last look at it.
      if (seen !== undefined && seen < target && !stopping.signal.aborted) reachFor(target)
    })
  }

  function onMessage(from: string, text: string): void {
    if (from !== channel) return
    const { position, previous, channels, event } = JSON.parse(text) as EventMessage
    if (seen === undefined || position <= seen) return
    if (!reading && previous <= seen) handOut(channels, { position, event })
    else reachFor(position)
  }

  const onReady = () => bell.ring()

  async function poll(): Promise<void> {
    let failing = false
    while (!stopping.signal.aborted) {
      try {
        const { last } = await events.ends()
        if (seen === undefined) {
          seen = last
          ready.resolve()
        }
        if (last > seen) reachFor(last)
        failing = false
      } catch (error) {
        if (!failing) log.warn({ err: error }, 'the end of the event log could not be read')
        failing = true
      }
      await bell.wait(subscriber.status === 'ready' ? pollMs : pollMsWithoutRedis, stopping.signal)
    }
  }

  return {
    start() {
      if (polling) return
      subscriber.on('message', onMessage)
      subscriber.on('ready', onReady)
      subscriber.subscribe(channel).catch((error: unknown) => log.warn({ err: error }, 'events come by polling only'))
      polling = poll()
    },
    async stop() {
      stopping.abort()
      subscriber.off('message', onMessage)
      subscriber.off('ready', onReady)
      await polling
      await reading
    },
    position: () => seen,
    ready: ready.promise,
    listen(name, listener) {
      const own = listeners.get(name) ?? new Set()
      listeners.set(name, own.add(listener))
      return () => {
        own.delete(listener)
        if (own.size === 0 && listeners.get(name) === own) listeners.delete(name)
      }
    }
  }
}
