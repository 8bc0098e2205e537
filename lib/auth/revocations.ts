import type { Redis } from 'ioredis'
import type { Knex } from 'knex'
import type { Transaction } from '../store/transaction.ts'

/** What is published: one credential, or with `null` all of the user's, is to be looked at again. */
export type Revocation = { userId: string; credentialId: string | null }

export type Revocations = {
  /**
   * Tells every process once `trx` is committed, this one before anything else happens. Losing the message is safe:
   * nobody remembers a credential for a second.
   */
  publishAfter(trx: Knex.Transaction, revocation: Revocation): void
}

export const revokedChannel = (prefix: string): string => `${prefix}:revoked`

/** What a message of the channel says; `undefined` for one that is none of ours. */
export function parseRevocation(message: string): Revocation | undefined {
  try {
    const { userId, credentialId } = JSON.parse(message) as Partial<Revocation>
    return typeof userId === 'string' && credentialId !== undefined ? { userId, credentialId } : undefined
  } catch {
    return undefined // whoever wrote it: what is remembered runs out by itself
  }
}

/** News of revoked credentials for those who hold connections open: sockets and streams. */
export function createRevocations({
  redis,
  prefix,
  transaction,
  forget
}: {
  redis: Pick<Redis, 'publish'>
  prefix: string
  transaction: Transaction
  /** what this process remembers */
  forget: (revocation: Revocation) => void
}): Revocations {
  return {
    publishAfter(trx, revocation) {
      const message = JSON.stringify(revocation)
      transaction.afterCommit(trx, `revoked:${revocation.userId}:${revocation.credentialId}`, () => {
        forget(revocation)
        return redis.publish(revokedChannel(prefix), message)
      })
    }
  }
}
