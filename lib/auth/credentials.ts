import type { Knex } from 'knex'
import type { ApiKeyStore } from '../store/people/api-keys.ts'
import type { SessionStore } from '../store/people/sessions.ts'
import type { Actor } from '../access/actor.ts'
import type { Revocations } from './revocations.ts'
import type { Audience, Tokens } from './tokens.ts'

const lifeMs = { api: 12 * 3_600_000, console: 3_600_000 } satisfies Record<Audience, number>

/** Making and revoking credentials inside the caller's transaction; news goes out after its commit. */
export type Credentials = {
  /** A session for 12 h, or 1 h for the console, and the token that stands for it. */
  openSession(trx: Knex.Transaction, userId: string, audience: Audience): Promise<{ token: string; expiresAt: Date }>
  /** Ends one credential. @returns whether it was still good */
  revoke(trx: Knex.Transaction, actor: Pick<Actor, 'id' | 'credential'>): Promise<boolean>
  /** Ends all credentials of a person, but for `keep`. */
  revokeAll(trx: Knex.Transaction, userId: string, keep?: Actor['credential']): Promise<void>
  /** Credentials stay good but stand for something else now (a role): whoever holds a connection looks again. */
  announceChange(trx: Knex.Transaction, userId: string): void
}

export function createCredentials({
  tokens,
  revocations,
  sessions,
  apiKeys
}: {
  tokens: Tokens
  revocations: Revocations
  sessions: SessionStore
  apiKeys: ApiKeyStore
}): Credentials {
  return {
    async openSession(trx, userId, audience) {
      const expiresAt = new Date(Date.now() + lifeMs[audience])
      expiresAt.setMilliseconds(0) // a JWT counts whole seconds
      await sessions.removeExpiredOf(trx, userId)
      const sessionId = await sessions.insert(trx, { userId, expiresAt })
      return { token: await tokens.sign({ userId, sessionId, audience, expiresAt }), expiresAt }
    },
    async revoke(trx, { id: userId, credential: { kind, id } }) {
      const revoked = kind === 'api_key' ? await apiKeys.revoke(trx, userId, id) : await sessions.revoke(trx, id)
      if (revoked) revocations.publishAfter(trx, { userId, credentialId: id })
      return revoked
    },
    async revokeAll(trx, userId, keep) {
      await sessions.revokeAllOf(trx, userId, { except: keep?.kind === 'api_key' ? undefined : keep?.id })
      await apiKeys.revokeAllOf(trx, userId, { except: keep?.kind === 'api_key' ? keep.id : undefined })
      revocations.publishAfter(trx, { userId, credentialId: null })
    },
    announceChange(trx, userId) {
      revocations.publishAfter(trx, { userId, credentialId: null })
    }
  }
}
