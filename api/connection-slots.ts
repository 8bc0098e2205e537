import type { Redis } from 'ioredis'
import { addressGroup } from '../lib/gate/address.ts'
import { AppError } from '../lib/errors/app-error.ts'
import { newId } from '../lib/ids.ts'
import type { Logger } from '../lib/logger.ts'

/** The place of one connection that stays open, until `leave`. */
export type Place = { leave(): void }

/** Counts the connections that people keep open, over all processes. */
export type ConnectionSlots = {
  /**
   * Takes a place of the person and one of the address. Sockets and streams of a person are counted apart, those of an
   * address together.
   * @throws AppError `rate_limited` (429 with Retry-After) when either has as many as they may
   */
  enter(kind: 'sockets' | 'streams', userId: string, address: string): Promise<Place>
  /** To be called more often than once a minute: places that nobody keeps are given up. */
  keep(): Promise<void>
}

/** A process that died without a word frees its places after this. */
const placeMs = 90_000

export type ConnectionLimits = {
  /** of one person, of each kind */
  connectionsOfUser: number
  /** of one address, of both kinds and all people behind it */
  connectionsOfAddress: number
}

/**
 * One sorted set for each person and each address: connection ids by the time at which they are given up for dead.
 * While Redis is away each process counts its own.
 */
export function createConnectionSlots({
  redis,
  prefix,
  limits,
  log
}: {
  redis: Redis
  prefix: string
  limits: ConnectionLimits
  log: Logger
}): ConnectionSlots {
  const own = new Map<string, Set<string>>()

  function enterHere(key: string, id: string, most: number): boolean {
    const ids = own.get(key) ?? new Set()
    if (ids.size >= most) return false
    own.set(key, ids.add(id))
    return true
  }

  function leave(key: string, id: string): void {
    const ids = own.get(key)
    if (!ids?.delete(id)) return
    if (ids.size === 0) own.delete(key)
    if (redis.status === 'ready') {
      redis.zrem(key, id).catch((error: unknown) => log.debug({ err: error }, 'a place frees itself later'))
    }
  }

  /** @returns false when there is no place */
  async function enter(key: string, id: string, most: number): Promise<boolean> {
    if (!enterHere(key, id, most)) return false
    // Nobody waits at the door for a Redis that is away.
    if (redis.status !== 'ready') return true
    try {
      const now = Date.now()
      const replies = await redis
        .multi()
        .zremrangebyscore(key, '-inf', now)
        .zadd(key, now + placeMs, id)
        .zcard(key)
        .pexpire(key, placeMs)
        .exec()
      const count = replies?.[2]?.[1]
      if (typeof count !== 'number' || count <= most) return true
      leave(key, id)
      return false
    } catch (error) {
      log.warn({ err: error }, 'connections are counted in this process only')
      return true
    }
  }

  return {
    async enter(kind, userId, address) {
      const id = newId()
      const places = [
        { key: `${prefix}:${kind}:${userId}`, most: limits.connectionsOfUser, whose: '' },
        {
          key: `${prefix}:connections:${addressGroup(address)}`,
          most: limits.connectionsOfAddress,
          whose: ' from one address'
        }
      ]
      const leaveAll = () => {
        for (const { key } of places) leave(key, id)
      }
      const entered = await Promise.all(places.map(({ key, most }) => enter(key, id, most)))
      const full = places[entered.indexOf(false)]
      if (full) {
        leaveAll()
        throw new AppError('rate_limited', `At most ${full.most} connections at once${full.whose}`, {
          headers: { 'Retry-After': '1' }
        })
      }
      return { leave: leaveAll }
    },
    async keep() {
      if (redis.status !== 'ready') return
      const until = Date.now() + placeMs
      for (const [key, ids] of own) {
        await redis
          .multi()
          .zadd(key, ...[...ids].flatMap((id) => [until, id]))
          .pexpire(key, placeMs)
          .exec()
      }
    }
  }
}
