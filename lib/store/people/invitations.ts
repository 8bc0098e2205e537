import type { Knex } from 'knex'
import { newId } from '../../ids.ts'

export type InvitationRow = {
  id: string
  hint: string
  email: string | null
  expires_at: Date
  used_at: Date | null
  used_by: string | null
  created_at: Date
}

const columns = ['id', 'hint', 'email', 'expires_at', 'used_at', 'used_by', 'created_at'] as const

export type InvitationStore = ReturnType<typeof createInvitationStore>

/** Invitations by the hash of their code; the code itself is stored nowhere. */
export function createInvitationStore({ knex }: { knex: Knex }) {
  /** One that may still be used, by this e-mail address if it names one. */
  const usable = (db: Knex, hash: Buffer, email: string) =>
    db('invitations')
      .where({ code_hash: hash })
      .whereNull('used_at')
      .whereRaw('expires_at > now()')
      .whereRaw('(email is null or lower(email) = lower(?))', [email])

  return {
    async insert(invitation: {
      hash: Buffer
      hint: string
      email: string | null
      expiresAt: Date
      createdBy: string
    }): Promise<InvitationRow> {
      const { hash, hint, email, expiresAt, createdBy } = invitation
      const row = { id: newId(), code_hash: hash, hint, email, expires_at: expiresAt, created_by: createdBy }
      const [stored] = await knex('invitations')
        .insert(row)
        .returning([...columns])
      return stored as InvitationRow
    },

    async isUsable(hash: Buffer, email: string): Promise<boolean> {
      return (await usable(knex, hash, email).first('id')) !== undefined
    },

    /**
     * Uses one up for a person who was inserted in the same transaction.
     * @returns false when it cannot be used, or no longer: of several at once the first to commit has it
     */
    async use(trx: Knex.Transaction, hash: Buffer, person: { id: string; email: string }): Promise<boolean> {
      const count = await usable(trx, hash, person.email).update({ used_at: trx.fn.now(), used_by: person.id })
      return count === 1
    },

    /** Newest first, below the id `before`. */
    async list({ limit, before }: { limit: number; before?: string | undefined }): Promise<InvitationRow[]> {
      const rows = knex('invitations')
      if (before) rows.where('id', '<', before)
      return await rows
        .orderBy('id', 'desc')
        .limit(limit)
        .select([...columns])
    },

    /** @returns whether there was one */
    async remove(id: string): Promise<boolean> {
      return (await knex('invitations').where({ id }).delete()) === 1
    }
  }
}
