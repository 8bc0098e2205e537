import type { Redis } from 'ioredis'
import type { Knex } from 'knex'
import type { Transaction } from '../store/transaction.ts'

/** What is published: one credential, or with `null` all of the user's, is to be looked at again. */
export type Revocation = { userId: string; credentialId: string | null }

export type Revocations = {
  /** Tells every process once `trx` is committed. Losing the message is safe for requests, which ask Postgres each time. */
  publishAfter(trx: Knex.Transaction, revocation: Revocation): void
}

export const revokedChannel = (prefix: string): string => `${prefix}:revoked`

/** News of revoked credentials for those who hold connections open: sockets and streams. */
export function createRevocations({
  redis,
  prefix,
  transaction
}: {
  redis: Pick<Redis, 'publish'>
  prefix: string
  transaction: Transaction
}): Revocations {
  return {
    publishAfter(trx, revocation) {
      const message = JSON.stringify(revocation)
      transaction.afterCommit(trx, `revoked:${revocation.userId}:${revocation.credentialId}`, () =>
        redis.publish(revokedChannel(prefix), message)
      )
    }
  }
}
