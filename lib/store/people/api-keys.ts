import type { Knex } from 'knex'
import { newId } from '../../ids.ts'
import type { UserRow } from './users.ts'

export type ApiKeyRow = {
  id: string
  user_id: string
  name: string
  hint: string
  expires_at: Date | null
  last_used_at: Date | null
  created_at: Date
}

/** API keys by the hash of the secret; the secret itself is stored nowhere. */
export type ApiKeyStore = {
  insert(
    db: Knex,
    key: { userId: string; name: string; hash: Buffer; hint: string; expiresAt: Date | null }
  ): Promise<ApiKeyRow>
  /** The owner of a key that is neither revoked nor out of date, found by hash or by id. */
  findOwner(by: { hash: Buffer } | { id: string }, db?: Knex): Promise<ApiKeyOwner | undefined>
  /** Notes that a key is in use, to the minute. */
  touch(keyId: string): Promise<void>
  /** Keys not revoked, newest first, below the id `before`. */
  list(userId: string, page: { limit: number; before?: string | undefined }): Promise<ApiKeyRow[]>
  /** @returns whether there was such a key of this person to revoke */
  revoke(db: Knex, userId: string, keyId: string): Promise<boolean>
  /** Revokes the keys of that name and returns their ids. */
  revokeNamed(db: Knex, userId: string, name: string): Promise<string[]>
  revokeAllOf(db: Knex, userId: string, options?: { except?: string | undefined }): Promise<void>
}

export type ApiKeyOwner = Pick<UserRow, 'id' | 'role'> & {
  key_id: string
  last_used_at: Date | null
  expires_at: Date | null
}

const columns = ['id', 'user_id', 'name', 'hint', 'expires_at', 'last_used_at', 'created_at'] as const

export function createApiKeyStore({ knex }: { knex: Knex }): ApiKeyStore {
  return {
    async insert(db, { userId, name, hash, hint, expiresAt }) {
      const row = { id: newId(), user_id: userId, name, key_hash: hash, hint, expires_at: expiresAt }
      const [stored] = (await db('api_keys')
        .insert(row)
        .returning([...columns])) as ApiKeyRow[]
      return stored as ApiKeyRow
    },
    async findOwner(by, db = knex) {
      return await db('api_keys')
        .join('users', 'users.id', 'api_keys.user_id')
        .where('hash' in by ? { 'api_keys.key_hash': by.hash } : { 'api_keys.id': by.id })
        .whereNull('api_keys.revoked_at')
        .where((valid) => valid.whereNull('api_keys.expires_at').orWhere('api_keys.expires_at', '>', db.fn.now()))
        .first<ApiKeyOwner | undefined>(
          'users.id',
          'users.role',
          'api_keys.id as key_id',
          'api_keys.last_used_at',
          'api_keys.expires_at'
        )
    },
    async touch(keyId) {
      await knex('api_keys')
        .where({ id: keyId })
        .whereRaw(`(last_used_at is null or last_used_at < now() - interval '1 minute')`)
        .update({ last_used_at: knex.fn.now() })
    },
    async list(userId, { limit, before }) {
      const rows = knex('api_keys').where({ user_id: userId }).whereNull('revoked_at')
      if (before) rows.where('id', '<', before)
      return (await rows
        .orderBy('id', 'desc')
        .limit(limit)
        .select([...columns])) as ApiKeyRow[]
    },
    async revoke(db, userId, keyId) {
      const count = await db('api_keys')
        .where({ id: keyId, user_id: userId })
        .whereNull('revoked_at')
        .update({ revoked_at: db.fn.now() })
      return count > 0
    },
    async revokeNamed(db, userId, name) {
      const rows = (await db('api_keys')
        .where({ user_id: userId, name })
        .whereNull('revoked_at')
        .update({ revoked_at: db.fn.now() })
        .returning('id')) as { id: string }[]
      return rows.map((row) => row.id)
    },
    async revokeAllOf(db, userId, { except } = {}) {
      const rows = db('api_keys').where({ user_id: userId }).whereNull('revoked_at')
      if (except) rows.whereNot({ id: except })
      await rows.update({ revoked_at: db.fn.now() })
    }
  }
}
