import type { Knex } from 'knex'
import { AppError, invalidField, notFound } from '../errors/app-error.ts'
import { requireMatch } from '../etag.ts'
import type { EventLog } from '../events/log.ts'
import type { UserChange } from '../schemas/auth.ts'
import { encodeCursor, isUuid, type Page, type PageQuery } from '../schemas/page.ts'
import type { UserView } from '../schemas/user.ts'
import type { Transaction } from '../store/transaction.ts'
import type { UserChanges, UserRow, UserStore } from '../store/people/users.ts'
import { type Actor, isAdmin } from '../access/actor.ts'
import type { Credentials } from './credentials.ts'
import type { Passwords } from './passwords.ts'
import { toUserView } from './user-view.ts'

/** People see themselves, administrators see everybody; anybody else is not found. */
export type Users = {
  find(actor: Actor, id: string): Promise<UserView>
  list(actor: Actor, page: PageQuery): Promise<Page<UserView>>
  /**
   * A new password ends the person's credentials (all but the one at hand when it is their own).
   * `undefined` when their current password is another than they said.
   * @param signal aborted when the credential at hand ends: a password that waits to be hashed is not changed then
   * @throws AppError `not_found`; `forbidden` for a role; `invalid`; `conflict` for a taken e-mail or the last
   *   administrator; `precondition_failed`
   */
  update(
    actor: Actor,
    id: string,
    change: UserChange,
    ifMatch?: string,
    signal?: AbortSignal
  ): Promise<UserView | undefined>
  /** Removes the person and what is theirs; audits stay without them. @throws AppError `not_found`, `conflict` */
  remove(actor: Actor, id: string): Promise<void>
}

/**
 * @param cancelJobsOf stops what still runs for a person who is about to go
 * @param beforeRemoval removes, in the removal's transaction, what of theirs others are to hear about
 */
export function createUsers({
  transaction,
  events,
  users,
  passwords,
  credentials,
  cancelJobsOf,
  beforeRemoval
}: {
  transaction: Transaction
  events: EventLog
  users: UserStore
  passwords: Passwords
  credentials: Credentials
  cancelJobsOf: (userId: string) => Promise<unknown>
  beforeRemoval: (trx: Knex.Transaction, userId: string) => Promise<unknown>
}): Users {
  const mayTouch = (actor: Actor, id: string) => isUuid(id) && (isAdmin(actor) || actor.id === id.toLowerCase())

  async function mustFind(actor: Actor, id: string): Promise<UserRow> {
    const row = mayTouch(actor, id) ? await users.find(id) : undefined
    if (!row) throw notFound('User')
    return row
  }

  /** The row locked, and the administrators' rows before it when this is about one of them. */
  async function lock(trx: Knex.Transaction, id: string, { endsAdmin }: { endsAdmin: boolean }): Promise<UserRow> {
    const admins = endsAdmin ? await users.lockAdmins(trx) : []
    const row = await users.lock(trx, id)
    if (!row) throw notFound('User')
    if (endsAdmin && row.role === 'admin' && admins.length < 2) {
      throw new AppError('conflict', 'This is the last administrator')
    }
    return row
  }

  /** Whether the change may set a password: their own takes the one that holds now. */
  async function maySetPassword(
    actor: Actor,
    row: UserRow,
    { currentPassword }: UserChange,
    signal: AbortSignal | undefined
  ): Promise<boolean> {
    if (actor.id !== row.id) return true
    if (currentPassword === undefined) throw invalidField('currentPassword', 'is needed to change your own password')
    return await passwords.verify(currentPassword, row.password_hash, signal)
  }

  return {
    async find(actor, id) {
      return toUserView(await mustFind(actor, id))
    },
    async list(actor, { limit, cursor }) {
      const rows = await users.list({
        limit: limit + 1,
        before: cursor,
        id: isAdmin(actor) ? undefined : actor.id
      })
      const shown = rows.slice(0, limit)
      const last = rows.length > limit ? shown.at(-1) : undefined
      return { data: shown.map(toUserView), nextCursor: last ? encodeCursor(last.id) : null }
    },
    async update(actor, id, change, ifMatch, signal) {
      const before = await mustFind(actor, id)
      if (change.role !== undefined && !isAdmin(actor)) {
        throw new AppError('forbidden', 'Only administrators change roles')
      }
      if (change.password !== undefined && !(await maySetPassword(actor, before, change, signal))) return undefined
      const hash = change.password === undefined ? undefined : await passwords.hash(change.password, signal)
      return await transaction.transact(async (trx) => {
        const row = await lock(trx, before.id, { endsAdmin: change.role === 'user' })
        requireMatch(ifMatch, toUserView(row))
        if (hash && actor.id === row.id && row.password_hash !== before.password_hash) return undefined
        const changes = changed(row, { email: change.email, name: change.name, role: change.role, password_hash: hash })
        if (Object.keys(changes).length === 0) return toUserView(row)

        const after = await users.update(trx, row.id, changes)
        if (!after) {
          throw new AppError('conflict', 'This e-mail address is taken', {
            errors: [{ path: 'email', message: 'is taken' }]
          })
        }
        if (hash) await credentials.revokeAll(trx, row.id, actor.id === row.id ? actor.credential : undefined)
        else if (changes.role) credentials.announceChange(trx, row.id)
        const view = toUserView(after)
        await events.append(trx, { type: 'user.updated', userId: row.id, subject: row.id, data: view })
        return view
      })
    },
    async remove(actor, id) {
      const { id: userId } = await mustFind(actor, id)
      await transaction.transact(async (trx) => await lock(trx, userId, { endsAdmin: true }))
      await cancelJobsOf(userId)
      await transaction.transact(async (trx) => {
        const row = await lock(trx, userId, { endsAdmin: true })
        await beforeRemoval(trx, userId)
        await credentials.revokeAll(trx, userId)
        await users.remove(trx, userId)
        // Their own events go with them; this one is nobody's, and heard on their channel by who still listens.
        const channels = [`user:${userId}`]
        await events.append(trx, {
          type: 'user.deleted',
          userId: null,
          subject: userId,
          data: toUserView(row),
          channels
        })
      })
    }
  }
}

/** Only what differs from the row. */
function changed(row: UserRow, wanted: { [K in keyof UserChanges]: UserChanges[K] | undefined }): UserChanges {
  const differing = Object.entries(wanted).filter(
    ([key, value]) => value !== undefined && value !== row[key as keyof UserChanges]
  )
  return Object.fromEntries(differing) as UserChanges
}
