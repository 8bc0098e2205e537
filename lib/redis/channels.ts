import type { Redis } from 'ioredis'

/** Redis pub/sub channels of one installation. None is a key: their messages may be lost, and nothing but time is. */
export const redisChannels = (prefix: string) => ({
  /** placed events, from the relay to every API process */
  events: `${prefix}:events`,
  /** "there is something to place", to the relays */
  wake: `${prefix}:wake`,
  /** text of running jobs, from workers to every API process */
  deltas: `${prefix}:deltas`
})

/** What an event log calls after a commit. */
export function createWake({ redis, prefix }: { redis: Pick<Redis, 'publish'>; prefix: string }) {
  const { wake } = redisChannels(prefix)
  return async (): Promise<void> => {
    await redis.publish(wake, '')
  }
}
