import type { Knex } from 'knex'
import { newId } from '../../ids.ts'

export type UserRow = {
  id: string
  email: string
  password_hash: string
  name: string
  role: 'user' | 'admin'
  created_at: Date
  updated_at: Date
}

export type UserChanges = Partial<Pick<UserRow, 'email' | 'name' | 'role' | 'password_hash'>>

/** People and what they prove themselves with. Reads take the pool, writes the caller's transaction. */
export type UserStore = {
  /** @returns `undefined` when the e-mail is taken (in whatever case) */
  insert(db: Knex, user: Pick<UserRow, 'email' | 'password_hash' | 'name' | 'role'>): Promise<UserRow | undefined>
  find(id: string): Promise<UserRow | undefined>
  findByEmail(email: string): Promise<UserRow | undefined>
  list(filter: { limit: number; before?: string | undefined; id?: string | undefined }): Promise<UserRow[]>
  /** The row, locked until the transaction ends. */
  lock(trx: Knex.Transaction, id: string): Promise<UserRow | undefined>
  /** @returns `undefined` when the new e-mail is taken: the transaction is over then and can only be rolled back */
  update(trx: Knex.Transaction, id: string, changes: UserChanges): Promise<UserRow | undefined>
  remove(trx: Knex.Transaction, id: string): Promise<boolean>
  /** Administrators, oldest first, locked until the transaction ends: none can be demoted or removed meanwhile. */
  lockAdmins(trx: Knex.Transaction): Promise<UserRow[]>
  /** The same, and nobody else makes a first administrator until the transaction ends. */
  lockFirstAdmin(trx: Knex.Transaction): Promise<UserRow[]>
}

export function createUserStore({ knex }: { knex: Knex }): UserStore {
  return {
    async insert(db, user) {
      const [row] = (await db('users')
        .insert({ id: newId(), ...user })
        .onConflict()
        .ignore()
        .returning('*')) as UserRow[]
      return row
    },
    async find(id) {
      return await knex<UserRow>('users').where({ id }).first()
    },
    async findByEmail(email) {
      return await knex<UserRow>('users').whereRaw('lower(email) = lower(?)', [email]).first()
    },
    async list({ limit, before, id }) {
      const rows = knex<UserRow>('users')
      if (id) rows.where({ id })
      if (before) rows.where('id', '<', before)
      return await rows.orderBy('id', 'desc').limit(limit).select('*')
    },
    async lock(trx, id) {
      return await trx<UserRow>('users').where({ id }).forUpdate().first()
    },
    async update(trx, id, changes) {
      try {
        const [row] = await trx<UserRow>('users')
          .where({ id })
          .update({ ...changes, updated_at: trx.fn.now() as unknown as Date })
          .returning('*')
        return row
      } catch (error) {
        if ((error as { constraint?: string }).constraint === 'users_email_key') return undefined
        throw error
      }
    },
    async remove(trx, id) {
      // Bodies belong to events, of which the deliveries alone know the person.
      await trx.raw(
        `delete from webhook_bodies where event_id in (
           select d.event_id from webhook_deliveries d join webhooks w on w.id = d.webhook_id where w.user_id = ?)`,
        [id]
      )
      return (await trx('users').where({ id }).delete()) > 0
    },
    lockAdmins,
    async lockFirstAdmin(trx) {
      await trx.raw(`select pg_advisory_xact_lock(hashtext(current_schema() || ' first administrator'))`)
      return await lockAdmins(trx)
    }
  }
}

async function lockAdmins(trx: Knex.Transaction): Promise<UserRow[]> {
  return await trx<UserRow>('users').where({ role: 'admin' }).orderBy('id').forUpdate()
}

/** Those of the ids that are users, in order. */
export async function existingUsers(db: Knex, ids: readonly string[]): Promise<string[]> {
  const rows: { id: string }[] = await db('users').whereIn('id', ids).orderBy('id').select('id')
  return rows.map(({ id }) => id)
}
