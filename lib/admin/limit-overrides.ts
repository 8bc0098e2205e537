import type { Redis } from 'ioredis'
import type { LimitOverrides } from '../gate/gate.ts'
import type { BucketLimit } from '../gate/limits.ts'
import type { Logger } from '../logger.ts'
import type { GateAction } from '../actions/actions.ts'
import type { LimitOverride, LimitOverrideStore } from '../store/people/limit-overrides.ts'

const pollMs = 1_000

/** Limits of single users as every decision needs them: in memory, without a query. */
export type LiveOverrides = LimitOverrides & {
  /** Loads them, or as soon as the database is there, and keeps them fresh from then on. */
  start(): Promise<void>
  stop(): Promise<void>
  put(override: LimitOverride): Promise<void>
  /** @returns false when there was none */
  remove(userId: string, action: GateAction): Promise<boolean>
}

/**
 * Keeps a copy of the overrides of all users. A change is written to Postgres and told to all processes over Redis; each
 * reads them anew once a second besides, so that one that missed the message follows within that time, and an emptied
 * Redis loses nothing. Their number is small: they are made by hand.
 */
export function createLiveOverrides({
  store,
  redis,
  subscriber,
  prefix,
  log
}: {
  store: LimitOverrideStore
  redis: Pick<Redis, 'publish'>
  subscriber: Redis
  prefix: string
  log: Logger
}): LiveOverrides {
  const channel = `${prefix}:limits`
  let overrides = new Map<string, Partial<Record<GateAction, BucketLimit>>>()
  let timer: NodeJS.Timeout | undefined
  let reading: Promise<void> = Promise.resolve()

  async function read(): Promise<void> {
    const fresh = new Map<string, Partial<Record<GateAction, BucketLimit>>>()
    for (const { userId, action, limitPerMinute, burst } of await store.all()) {
      fresh.set(userId, { ...fresh.get(userId), [action]: { limitPerMinute, burst } })
    }
    overrides = fresh
  }

  /** One read after another, so that an older one never replaces a newer. */
  function refresh(): Promise<void> {
    reading = reading
      .then(read)
      .catch((error: unknown) => log.debug({ err: error }, 'limits of users could not be read'))
    return reading
  }

  const onMessage = (name: string) => {
    if (name === channel) void refresh()
  }
  const tell = () => redis.publish(channel, '').catch(() => undefined) // the others look once a second

  return {
    for: (userId) => overrides.get(userId),
    async start() {
      await refresh()
      subscriber.on('message', onMessage)
      void subscriber.subscribe(channel).catch(() => undefined) // the poll goes on without it
      timer = setInterval(() => void refresh(), pollMs)
    },
    async stop() {
      clearInterval(timer)
      subscriber.off('message', onMessage)
      await reading
    },
    async put(override) {
      await store.put(override)
      await refresh()
      await tell()
    },
    async remove(userId, action) {
      const removed = await store.remove(userId, action)
      await refresh()
      await tell()
      return removed
    }
  }
}
