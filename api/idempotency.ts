import { createHash } from 'node:crypto'
import type { Request } from 'express'
import type { Redis } from 'ioredis'
import { invalidField } from '../lib/errors/app-error.ts'
import { within } from '../lib/time/deadline.ts'
import { newId } from '../lib/ids.ts'

export type Idempotency = { key: string; requestHash: string }

const lockMs = 10_000
/** How often the lock is looked at: a first request takes milliseconds, and a hundred that wait for a slow one poll less. */
const firstPollMs = 15
const lastPollMs = 200
/** How long a request waits for a Redis that does not answer. */
const patienceMs = 1_000

/**
 * The request's `Idempotency-Key`, quoted (as draft-ietf-httpapi-idempotency-key-header has it) or bare, and a hash of
 * what it stands for: method, path and body.
 * @param bodyHash of the body's value
 * @throws AppError 422 for a key that is empty, too long or not printable
 */
export function readIdempotency(req: Request, bodyHash: () => string): Idempotency | undefined {
  const header = req.get('idempotency-key')
  if (header === undefined) return undefined
  const text = header.trim()
  const key = text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw invalidField('Idempotency-Key', 'must be 1 to 255 printable ASCII characters')
  }
  return { key, requestHash: requestHashOf(req, bodyHash) }
}

/** What a request stands for: equal for the same method, path and body. */
export function requestHashOf(req: Request, bodyHash: () => string): string {
  return createHash('sha256').update(`${req.method} ${req.baseUrl}${req.path} ${bodyHash()}`).digest('base64url')
}

/** @param signal ends the wait for the first request, by its reason; the work itself is left alone */
export type SerializeKey = <T>(userId: string, key: string, work: () => Promise<T>, signal?: AbortSignal) => Promise<T>

/** What the lock says when the first request of the key has been accepted. */
const accepted = 'accepted'

/**
 * Runs the first of the requests of one key before the others, across processes, so that a hundred at once take one
 * token: one makes the job, and when it has, all the others find it at the same time. The lock lives in Redis for at
 * most ten seconds; without Redis the unique index in Postgres still lets only one job be made.
 */
export function createKeySerializer({ redis, prefix }: { redis: Redis; prefix: string }): SerializeKey {
  return async (userId, key, work, signal) => {
    const name = `${prefix}:idempotency:${userId}:${createHash('sha256').update(key).digest('base64url')}`
    const token = newId()
    if (!(await acquire(name, token, signal))) return await work()
    try {
      const done = await work()
      await release(name, token, accepted)
      return done
    } catch (error) {
      await release(name, token, '')
      throw error
    }
  }

  /** @returns false when the work needs no lock, or there is none to be had */
  async function acquire(name: string, token: string, signal: AbortSignal | undefined): Promise<boolean> {
    const deadline = Date.now() + lockMs
    let waitMs = firstPollMs
    try {
      while (Date.now() < deadline) {
        if ((await within(redis.set(name, token, 'PX', lockMs, 'NX'), patienceMs)) === 'OK') return true
        if ((await within(redis.get(name), patienceMs)) === accepted) return false
        await new Promise((resolve) => setTimeout(resolve, waitMs))
        waitMs = Math.min(waitMs * 1.5, lastPollMs)
        signal?.throwIfAborted()
      }
    } catch (error) {
      if (signal?.aborted) throw error
      // Redis is away: go on without the lock, which what was sent may still set.
      void release(name, token, '')
    }
    return false
  }

  /** Leaves a mark in the place of a lock that is still ours, or nothing; one that cannot be released runs out. */
  async function release(name: string, token: string, mark: string): Promise<void> {
    await within(redis.eval(replaceOwn, 1, name, token, mark, lockMs), patienceMs).catch(() => undefined)
  }
}

const replaceOwn = `if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('del', KEYS[1]) end
redis.call('set', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`
