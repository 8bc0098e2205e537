import type { Redis } from 'ioredis'
import type { Outgoing } from './outgoing.ts'
import { redisChannels } from './redis-channels.ts'
import type { Sink } from './sink.ts'

/** What is published for one event. */
export type EventMessage = Pick<Outgoing, 'position' | 'previous' | 'channels' | 'event'>

/**
 * Tells the API processes. A message that is lost costs them a look into the log, so this sink need not repeat
 * everything after Redis has been away for long.
 */
export function createRedisSink({ redis, prefix }: { redis: Pick<Redis, 'pipeline'>; prefix: string }): Sink {
  const { events } = redisChannels(prefix)
  return {
    name: 'redis',
    skipBeyond: 1_000,
    async deliver(batch, confirmed) {
      const pipeline = redis.pipeline()
      for (const { position, previous, channels, event } of batch) {
        pipeline.publish(events, JSON.stringify({ position, previous, channels, event } satisfies EventMessage))
      }
      const replies = (await pipeline.exec()) ?? []
      for (const [i, { position }] of batch.entries()) {
        const error = replies[i]?.[0]
        if (error || !replies[i]) throw error ?? new Error('redis answered nothing')
        confirmed(position)
      }
    }
  }
}
