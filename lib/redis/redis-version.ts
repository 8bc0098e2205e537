import type { Redis } from 'ioredis'

/** The oldest Redis that the platform is made for. */
const oldest = 'redis_version:6.2.0'

/**
 * BullMQ asks for the server's version when a queue is made. It asks once, and a queue whose question failed fails with
 * every call for as long as the process lives (bullmq 6.7, `RedisConnection.init`). So that a queue made while Redis is
 * away works when Redis is back, its client answers with the oldest version there may be.
 */
export function withKnownVersion(redis: Redis): Redis {
  const ask = redis.info.bind(redis) as (...words: unknown[]) => Promise<string>
  // The client asks itself too, with a callback, whether the server has loaded its data: that answer stays what it is.
  const answer = (...words: unknown[]) => (words.length > 0 ? ask(...words) : ask().catch(() => oldest))
  redis.info = answer as Redis['info']
  return redis
}
