import { createHash, randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Actor } from '../access/actor.ts'
import type { Authenticator } from './authenticator.ts'

export type Tickets = {
  /** A secret for one connection, good for 30 s and once. */
  issue(actor: Actor): Promise<{ ticket: string; expiresAt: Date }>
  /** Uses the ticket up. `undefined` when it is unknown, used, too old, or its credential is no longer valid. */
  redeem(ticket: string): Promise<Actor | undefined>
}

const ttlSeconds = 30

/** One-time tickets for browsers' sockets, which cannot send a header. Redis holds only the ticket's hash. */
export function createTickets({
  redis,
  prefix,
  authenticator
}: {
  redis: Pick<Redis, 'set' | 'getdel'>
  prefix: string
  authenticator: Pick<Authenticator, 'recheck'>
}): Tickets {
  const keyOf = (ticket: string) => `${prefix}:ticket:${createHash('sha256').update(ticket).digest('base64url')}`
  return {
    async issue({ credential }) {
      const ticket = randomBytes(32).toString('base64url')
      const expiresAt = new Date(Date.now() + ttlSeconds * 1000)
      await redis.set(keyOf(ticket), JSON.stringify(credential), 'EX', ttlSeconds)
      return { ticket, expiresAt }
    },
    async redeem(ticket) {
      const stored = await redis.getdel(keyOf(ticket))
      return stored === null ? undefined : await authenticator.recheck(JSON.parse(stored) as Actor['credential'])
    }
  }
}
