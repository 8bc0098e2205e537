import { createHash, randomBytes } from 'node:crypto'
import type { Knex } from 'knex'
import { invalidField, notFound } from '../errors/app-error.ts'
import type { InvitationCreate, InvitationView } from '../schemas/invitation.ts'
import { encodeCursor, isUuid, type Page, type PageQuery } from '../schemas/page.ts'
import type { InvitationRow, InvitationStore } from '../store/people/invitations.ts'
import type { Actor } from '../access/actor.ts'

const prefix = 'inv_'
const usualDays = 14
const dayMs = 24 * 60 * 60 * 1000

/** 32 random bytes cannot be guessed from a fast hash, so SHA-256 is enough and can be looked up by index. */
const hashOf = (code: string): Buffer => createHash('sha256').update(code).digest()

/** One answer for a code that is unknown, used, out of date or somebody else's: none of it is a stranger's business. */
const unusable = () => invalidField('invitation', 'is not an invitation that can be used')

export type Invitations = ReturnType<typeof createInvitations>

/** Codes with which people may register once each, where registration is by invitation. */
export function createInvitations({ store }: { store: InvitationStore }) {
  return {
    /** A new invitation; the only answer that holds its code. @throws AppError 422 for a time that is past */
    async create(actor: Actor, { email, expiresAt }: InvitationCreate): Promise<InvitationView & { code: string }> {
      const ends = expiresAt ? new Date(expiresAt) : new Date(Date.now() + usualDays * dayMs)
      if (ends.getTime() <= Date.now()) throw invalidField('expiresAt', 'must be in the future')
      const code = prefix + randomBytes(32).toString('base64url')
      const row = await store.insert({
        hash: hashOf(code),
        hint: code.slice(-4),
        email: email ?? null,
        expiresAt: ends,
        createdBy: actor.id
      })
      return { ...toView(row), code }
    },

    /** Newest first, used ones too. */
    async list({ limit, cursor }: PageQuery): Promise<Page<InvitationView>> {
      const rows = await store.list({ limit: limit + 1, before: cursor })
      const shown = rows.slice(0, limit)
      const last = rows.length > limit ? shown.at(-1) : undefined
      return { data: shown.map(toView), nextCursor: last ? encodeCursor(last.id) : null }
    },

    /** Its code is worth nothing from now on. @throws AppError 404 when there is none with this id */
    async revoke(id: string): Promise<void> {
      if (!isUuid(id) || !(await store.remove(id))) throw notFound('the invitation')
    },

    /** Looks ahead, before a password is hashed for nothing. @throws AppError 422 naming `invitation` */
    async check(code: string | undefined, email: string): Promise<void> {
      if (code === undefined) throw invalidField('invitation', 'is required: registration here is by invitation')
      if (!(await store.isUsable(hashOf(code), email))) throw unusable()
    },

    /** Uses it up, in the transaction that makes the account. @throws AppError 422 naming `invitation` */
    async use(trx: Knex.Transaction, code: string | undefined, person: { id: string; email: string }): Promise<void> {
      if (code === undefined || !(await store.use(trx, hashOf(code), person))) throw unusable()
    }
  }
}

function toView(row: InvitationRow): InvitationView {
  return {
    id: row.id,
    hint: row.hint,
    email: row.email,
    expiresAt: row.expires_at.toISOString(),
    usedAt: row.used_at?.toISOString() ?? null,
    usedBy: row.used_by,
    createdAt: row.created_at.toISOString()
  }
}
