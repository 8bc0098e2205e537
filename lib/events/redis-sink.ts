import type { Redis } from 'ioredis'
import type { Refused } from '../batches/bisect.ts'
import { isOutage } from '../errors/outage.ts'
import type { Outgoing } from './outgoing.ts'
import { redisChannels } from '../redis/channels.ts'
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
      for (const { position, previous, channels, body } of batch) {
        const head = JSON.stringify({ position, previous, channels } satisfies Omit<EventMessage, 'event'>)
        pipeline.publish(events, `${head.slice(0, -1)},"event":${body}}`)
      }
      const replies = (await pipeline.exec()) ?? []
      const refused: Refused<Outgoing>[] = []
      for (const [i, member] of batch.entries()) {
        const error = replies[i] ? replies[i][0] : new Error('Connection is closed: Redis answered nothing')
        if (error && isOutage(error)) throw error
        if (error) refused.push({ member, error })
        else if (refused.length === 0) confirmed(member.position)
      }
      return refused
    }
  }
}
