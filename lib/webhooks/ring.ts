import type { Redis } from 'ioredis'

/** Tells workers that deliveries are due. Never fails: who does not hear of it finds them at the next look. */
export type RingDeliveries = () => void

/** Redis pub/sub channel of the bell. Its messages may be lost, and nothing but time is. */
export const deliveriesChannel = (prefix: string): string => `${prefix}:deliveries`

export function createRingDeliveries({
  redis,
  prefix
}: {
  redis: Pick<Redis, 'publish'>
  prefix: string
}): RingDeliveries {
  return () => {
    redis.publish(deliveriesChannel(prefix), '').catch(() => {}) // workers look once a second besides
  }
}
