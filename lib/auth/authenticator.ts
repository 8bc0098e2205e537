import type { Knex } from 'knex'
import { type ApiKeyOwner, createApiKeyStore } from '../store/people/api-keys.ts'
import { createSessionStore } from '../store/people/sessions.ts'
import type { Actor } from '../access/actor.ts'
import type { CredentialMemory, KnownCredential } from './credential-memory.ts'
import { hashApiKey, looksLikeApiKey } from './api-key.ts'
import type { Audience, Tokens } from './tokens.ts'

export type Authenticator = {
  /**
   * Who this token stands for: a JWT or an API key, or with audience `console` the queue monitor's cookie.
   * `undefined` when it is malformed, out of date or revoked. What was found good is remembered for less than a second:
   * a revocation holds at once in the process that carried it out, and within a second in every other one.
   */
  authenticate(token: string, audience?: Audience): Promise<Actor | undefined>
  /**
   * The same for a credential that was seen before, for what outlives a request: tickets, sockets, streams.
   * @param db the transaction to look in, when there is one
   */
  recheck(credential: Actor['credential'], db?: Knex): Promise<Actor | undefined>
  /** To be called when a revocation is heard of: what was remembered of it is forgotten. */
  forget: CredentialMemory['forget']
}

/** @param onError told when noting the use of a key failed, which never fails the request */
export function createAuthenticator({
  knex,
  tokens,
  memory,
  onError
}: {
  knex: Knex
  tokens: Tokens
  memory: CredentialMemory
  onError: (error: unknown) => void
}): Authenticator {
  const sessions = createSessionStore({ knex })
  const apiKeys = createApiKeyStore({ knex })

  function keyActor(owner: ApiKeyOwner | undefined): Actor | undefined {
    return owner && { id: owner.id, role: owner.role, credential: { kind: 'api_key', id: owner.key_id } }
  }

  async function sessionActor(sessionId: string, kind: 'session' | 'console', db?: Knex): Promise<Actor | undefined> {
    const owner = await sessions.findOwner(sessionId, db)
    return owner && { id: owner.id, role: owner.role, credential: { kind, id: sessionId } }
  }

  async function keyOf(token: string): Promise<KnownCredential | undefined> {
    const owner = await apiKeys.findOwner({ hash: hashApiKey(token) })
    if (owner && Date.now() - (owner.last_used_at?.getTime() ?? 0) > 60_000) {
      void apiKeys.touch(owner.key_id).catch(onError)
    }
    const actor = keyActor(owner)
    return actor && { actor, endsAt: owner?.expires_at?.getTime() ?? Number.POSITIVE_INFINITY }
  }

  async function sessionOf(token: string, audience: Audience): Promise<KnownCredential | undefined> {
    const claims = tokens.verify(token, audience)
    if (!claims) return undefined
    const actor = await sessionActor(claims.sessionId, audience === 'console' ? 'console' : 'session')
    return actor?.id === claims.userId ? { actor, endsAt: claims.expiresAt.getTime() } : undefined
  }

  return {
    async authenticate(token, audience = 'api') {
      const isKey = audience === 'api' && looksLikeApiKey(token)
      return await memory.find(`${audience} ${token}`, () => (isKey ? keyOf(token) : sessionOf(token, audience)))
    },
    forget: memory.forget,
    async recheck({ kind, id }, db) {
      return kind === 'api_key' ? keyActor(await apiKeys.findOwner({ id }, db)) : await sessionActor(id, kind, db)
    }
  }
}
