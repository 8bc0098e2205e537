import type { Redis } from 'ioredis'
import type { Logger } from '../../lib/logger.ts'

/** Counts a person's connections over all processes. */
export type Places = {
  /** @returns false when the person has as many as they may; else the place is theirs until `leave` */
  enter(userId: string, connectionId: string): Promise<boolean>
  /** To be called more often than once a minute for each connection that is still there. */
  stay(userId: string, connectionIds: string[]): Promise<void>
  leave(userId: string, connectionId: string): Promise<void>
}

/** A process that died without a word frees its places after this. */
const placeMs = 90_000

/**
 * One sorted set for each person: connection ids by the time at which they are given up for dead.
 * While Redis is away each process counts its own.
 */
export function createPlaces({
  redis,
  prefix,
  most,
  log
}: {
  redis: Redis
  prefix: string
  /** connections that one person may have */
  most: number
  log: Logger
}): Places {
  const keyOf = (userId: string) => `${prefix}:sockets:${userId}`
  const own = new Map<string, Set<string>>()

  function enterHere(userId: string, connectionId: string): boolean {
    const ids = own.get(userId) ?? new Set()
    if (ids.size >= most) return false
    own.set(userId, ids.add(connectionId))
    return true
  }

  function leaveHere(userId: string, connectionId: string): void {
    const ids = own.get(userId)
    ids?.delete(connectionId)
    if (ids?.size === 0) own.delete(userId)
  }

  return {
    async enter(userId, connectionId) {
      if (!enterHere(userId, connectionId)) return false
      // Nobody waits at the door for a Redis that is away.
      if (redis.status !== 'ready') return true
      try {
        const key = keyOf(userId)
        const now = Date.now()
        const replies = await redis
          .multi()
          .zremrangebyscore(key, '-inf', now)
          .zadd(key, now + placeMs, connectionId)
          .zcard(key)
          .pexpire(key, placeMs)
          .exec()
        const count = replies?.[2]?.[1]
        if (typeof count !== 'number' || count <= most) return true
        leaveHere(userId, connectionId)
        redis.zrem(key, connectionId).catch(() => {}) // it frees itself later
        return false
      } catch (error) {
        log.warn({ err: error }, 'sockets are counted in this process only')
        return true
      }
    },
    async stay(userId, connectionIds) {
      if (redis.status !== 'ready') return
      const until = Date.now() + placeMs
      const key = keyOf(userId)
      await redis
        .multi()
        .zadd(key, ...connectionIds.flatMap((id) => [until, id]))
        .pexpire(key, placeMs)
        .exec()
    },
    async leave(userId, connectionId) {
      leaveHere(userId, connectionId)
      if (redis.status === 'ready') await redis.zrem(keyOf(userId), connectionId)
    }
  }
}
