import { AppError, invalidField, notFound } from '../errors/app-error.ts'
import type { ApiKeyCreate, ApiKeyView } from '../schemas/auth.ts'
import { encodeCursor, isUuid, type Page, type PageQuery } from '../schemas/page.ts'
import type { ApiKeyRow, ApiKeyStore } from '../store/people/api-keys.ts'
import type { Transaction } from '../store/transaction.ts'
import type { UserStore } from '../store/people/users.ts'
import type { Actor } from '../access/actor.ts'
import { newApiKey } from './api-key.ts'
import type { Authenticator } from './authenticator.ts'
import type { Credentials } from './credentials.ts'

export type ApiKeys = {
  /** A new key of the actor's; the only answer that holds the secret. */
  create(actor: Actor, input: ApiKeyCreate): Promise<ApiKeyView & { key: string }>
  /** The actor's keys that are not revoked, newest first. */
  list(actor: Actor, page: PageQuery): Promise<Page<ApiKeyView>>
  /** @throws AppError `not_found` for what is not a key of the actor's */
  revoke(actor: Actor, keyId: string): Promise<void>
}

export function createApiKeys({
  transaction,
  users,
  apiKeys,
  authenticator,
  credentials
}: {
  transaction: Transaction
  users: UserStore
  apiKeys: ApiKeyStore
  authenticator: Pick<Authenticator, 'recheck'>
  credentials: Credentials
}): ApiKeys {
  return {
    async create(actor, { name, expiresAt }) {
      const ends = expiresAt ? new Date(expiresAt) : null
      if (ends && ends.getTime() <= Date.now()) throw invalidField('expiresAt', 'must be in the future')
      const { key, hash, hint } = newApiKey()
      return await transaction.transact(async (trx) => {
        // Holding the person's row keeps a change of password from revoking everything but the key being made here.
        await users.lock(trx, actor.id)
        if (!(await authenticator.recheck(actor.credential, trx))) {
          throw new AppError('unauthorized', 'The credential is no longer valid')
        }
        return { ...toView(await apiKeys.insert(trx, { userId: actor.id, name, hash, hint, expiresAt: ends })), key }
      })
    },
    async list(actor, { limit, cursor }) {
      const rows = await apiKeys.list(actor.id, { limit: limit + 1, before: cursor })
      const shown = rows.slice(0, limit)
      const last = rows.length > limit ? shown.at(-1) : undefined
      return { data: shown.map(toView), nextCursor: last ? encodeCursor(last.id) : null }
    },
    async revoke(actor, keyId) {
      const credential = { kind: 'api_key', id: keyId } as const
      const revoked =
        isUuid(keyId) && (await transaction.transact((trx) => credentials.revoke(trx, { id: actor.id, credential })))
      if (!revoked) throw notFound('API key')
    }
  }
}

function toView(row: ApiKeyRow): ApiKeyView {
  return {
    id: row.id,
    name: row.name,
    hint: row.hint,
    expiresAt: row.expires_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString()
  }
}
