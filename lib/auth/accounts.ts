import type { Knex } from 'knex'
import { AppError } from '../errors/app-error.ts'
import type { EventLog } from '../events/log.ts'
import type { Login, PasswordChange } from '../schemas/auth.ts'
import type { Registration, UserCreate, UserView } from '../schemas/user.ts'
import type { FailedLoginStore } from '../store/people/failed-logins.ts'
import type { Transaction } from '../store/transaction.ts'
import type { UserStore } from '../store/people/users.ts'
import { type Actor, isAdmin } from '../access/actor.ts'
import type { Credentials } from './credentials.ts'
import type { Invitations } from './invitations.ts'
import type { Passwords } from './passwords.ts'
import type { Audience } from './tokens.ts'
import { toUserView } from './user-view.ts'

export type OpenedSession = { token: string; expiresAt: Date }

/** Where somebody who is not known yet comes from, and what the login is for: the API unless told. */
export type LoginFrom = { ip: string; audience?: Audience }

/** Who may register: everybody, who has an invitation, or nobody. */
export type RegistrationMode = 'open' | 'invite' | 'off'

export type Accounts = {
  /**
   * A new person who is logged in at once.
   * @throws AppError `conflict` when the e-mail is taken, `forbidden` when nobody may register, 422 naming `invitation`
   *   when that takes one and it is none that can be used; `busy`
   */
  register(input: Registration): Promise<OpenedSession & { user: UserView }>
  /** The same by an administrator, without a session. @param signal aborted when their credential ends */
  create(input: UserCreate, signal?: AbortSignal): Promise<UserView>
  /**
   * `undefined` for a wrong pair, in equal time whether or not the e-mail is known. A wrong password of somebody who
   * exists is noted with the address it came from.
   * @throws AppError `forbidden` when the right pair of somebody who is no administrator asks for the console; `busy`
   */
  login(input: Login, from: LoginFrom): Promise<OpenedSession | undefined>
  /**
   * Ends every other credential of the person. `undefined` when the current password is another.
   * @param signal aborted when the credential at hand ends: nothing is changed then
   */
  changePassword(actor: Actor, input: PasswordChange, signal?: AbortSignal): Promise<true | undefined>
  /** Ends the credential the request came with. */
  logout(actor: Actor): Promise<void>
}

const emailTaken = (): AppError =>
  new AppError('conflict', 'This e-mail address is taken', { errors: [{ path: 'email', message: 'is taken' }] })

/** Accounts and their sessions. Hashing happens outside of transactions, which hold what was verified to what is stored. */
export function createAccounts({
  transaction,
  events,
  users,
  failedLogins,
  passwords,
  credentials,
  invitations,
  registration,
  onError
}: {
  transaction: Transaction
  events: EventLog
  users: UserStore
  failedLogins: FailedLoginStore
  passwords: Passwords
  credentials: Credentials
  invitations: Invitations
  registration: RegistrationMode
  onError: (error: unknown) => void
}): Accounts {
  async function insert(trx: Knex.Transaction, input: UserCreate, passwordHash: string): Promise<UserView> {
    const { email, name, role } = input
    const row = await users.insert(trx, { email, name, role, password_hash: passwordHash })
    if (!row) throw emailTaken()
    const view = toUserView(row)
    await events.append(trx, { type: 'user.created', userId: row.id, subject: row.id, data: view })
    return view
  }

  return {
    async register({ invitation, ...input }) {
      if (registration === 'off') {
        throw new AppError('forbidden', 'Registration is closed here: ask an administrator for an account')
      }
      if (registration === 'invite') await invitations.check(invitation, input.email)
      const hash = await passwords.hash(input.password)
      return await transaction.transact(async (trx) => {
        const user = await insert(trx, { ...input, role: 'user' }, hash)
        if (registration === 'invite') await invitations.use(trx, invitation, user)
        return { user, ...(await credentials.openSession(trx, user.id, 'api')) }
      })
    },
    async create(input, signal) {
      const hash = await passwords.hash(input.password, signal)
      return await transaction.transact((trx) => insert(trx, input, hash))
    },
    async login({ email, password }, { ip, audience = 'api' }) {
      const user = await users.findByEmail(email)
      const right = await passwords.verify(password, user?.password_hash)
      // Not waited for: an unknown e-mail, of which nothing is noted, must not be told by its shorter answer.
      if (user && !right) void failedLogins.note(user.id, ip).catch(onError)
      if (!user || !right) return undefined
      return await transaction.transact(async (trx) => {
        // A password that was changed meanwhile must not leave a session behind that the change did not see.
        const now = await users.lock(trx, user.id)
        if (now?.password_hash !== user.password_hash) return undefined
        if (audience === 'console' && !isAdmin(now)) {
          throw new AppError('forbidden', 'This account is not an administrator’s')
        }
        return await credentials.openSession(trx, now.id, audience)
      })
    },
    async changePassword(actor, { current, next }, signal) {
      const user = await users.find(actor.id)
      if (!user || !(await passwords.verify(current, user.password_hash, signal))) return undefined
      const hash = await passwords.hash(next, signal)
      return await transaction.transact(async (trx) => {
        const now = await users.lock(trx, user.id)
        if (now?.password_hash !== user.password_hash) return undefined
        await users.update(trx, user.id, { password_hash: hash })
        await credentials.revokeAll(trx, user.id, actor.credential)
        return true
      })
    },
    async logout(actor) {
      await transaction.transact((trx) => credentials.revoke(trx, actor))
    }
  }
}
