import type { Knex } from 'knex'
import { newId } from '../../ids.ts'
import type { UserRow } from './users.ts'

/** Sessions: what a JWT or a console cookie points at, so that it can be revoked before it runs out. */
export type SessionStore = {
  insert(db: Knex, session: { userId: string; expiresAt: Date }): Promise<string>
  /** The owner of a session that is neither revoked nor out of date. */
  findOwner(sessionId: string, db?: Knex): Promise<Pick<UserRow, 'id' | 'role'> | undefined>
  /** @returns whether it was there to revoke */
  revoke(db: Knex, sessionId: string): Promise<boolean>
  revokeAllOf(db: Knex, userId: string, options?: { except?: string | undefined }): Promise<void>
  /** Forgets a person's sessions that ran out more than a day ago, so that nobody's pile up. */
  removeExpiredOf(db: Knex, userId: string): Promise<void>
}

export function createSessionStore({ knex }: { knex: Knex }): SessionStore {
  return {
    async insert(db, { userId, expiresAt }) {
      const id = newId()
      await db('sessions').insert({ id, user_id: userId, expires_at: expiresAt })
      return id
    },
    async findOwner(sessionId, db = knex) {
      return await db('sessions')
        .join('users', 'users.id', 'sessions.user_id')
        .where('sessions.id', sessionId)
        .whereNull('sessions.revoked_at')
        .where('sessions.expires_at', '>', db.fn.now())
        .first<Pick<UserRow, 'id' | 'role'> | undefined>('users.id', 'users.role')
    },
    async revoke(db, sessionId) {
      const count = await db('sessions')
        .where({ id: sessionId })
        .whereNull('revoked_at')
        .update({ revoked_at: db.fn.now() })
      return count > 0
    },
    async revokeAllOf(db, userId, { except } = {}) {
      const rows = db('sessions').where({ user_id: userId }).whereNull('revoked_at')
      if (except) rows.whereNot({ id: except })
      await rows.update({ revoked_at: db.fn.now() })
    },
    async removeExpiredOf(db, userId) {
      await db('sessions').where({ user_id: userId }).whereRaw(`expires_at < now() - interval '1 day'`).delete()
    }
  }
}
