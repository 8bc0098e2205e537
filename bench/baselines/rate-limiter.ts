import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { serveCalls } from '../programs/serve-calls.ts'

/** rate-limiter-flexible on Redis (its README): each call consumes one point. */

const redis = new Redis(process.env.REDIS_URL as string)
const limiter = new RateLimiterRedis({ storeClient: redis, points: 1_000_000_000, duration: 60 })
const users = Array.from({ length: 64 }, () => randomUUID())

serveCalls(async (caller) => {
  const { remainingPoints } = await limiter.consume(users[caller % users.length] as string)
  if (!(remainingPoints > 0)) throw new Error('the limiter ran dry')
})
