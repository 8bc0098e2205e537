import type { Redis } from 'ioredis'
import type { Knex } from 'knex'
import type { EventLog } from '../events/log.ts'
import { createApiKeyStore } from '../store/people/api-keys.ts'
import { createFailedLoginStore } from '../store/people/failed-logins.ts'
import { createInvitationStore } from '../store/people/invitations.ts'
import { createSessionStore } from '../store/people/sessions.ts'
import type { Transaction } from '../store/transaction.ts'
import { createUserStore } from '../store/people/users.ts'
import { type Accounts, createAccounts, type RegistrationMode } from './accounts.ts'
import { type ApiKeys, createApiKeys } from './api-keys.ts'
import { type Authenticator, createAuthenticator } from './authenticator.ts'
import { createCredentialMemory } from './credential-memory.ts'
import { createCredentials } from './credentials.ts'
import { createInvitations, type Invitations } from './invitations.ts'
import { createPasswords, type PasswordCost } from './passwords.ts'
import { createRevocations } from './revocations.ts'
import { createTickets, type Tickets } from './tickets.ts'
import { createTokens } from './tokens.ts'
import { createUsers, type Users } from './users.ts'

export type Auth = {
  authenticator: Authenticator
  tickets: Tickets
  accounts: Accounts
  apiKeys: ApiKeys
  invitations: Invitations
  users: Users
}

export type AuthNeeds = {
  knex: Knex
  redis: Pick<Redis, 'set' | 'getdel' | 'publish'>
  prefix: string
  transaction: Transaction
  events: EventLog
  /** signs tokens: at least 32 bytes, the same in every process */
  secret: string
  /** stops what still runs for a person who is being removed */
  cancelJobsOf: (userId: string) => Promise<unknown>
  /** removes, in the transaction of the removal, what of theirs others are to hear about */
  beforeRemoval?: (trx: Knex.Transaction, userId: string) => Promise<unknown>
  /** told about what failed without failing a request */
  onError: (error: unknown) => void
  passwordCost?: PasswordCost
  /** for whom a request is served: hashes of passwords are made in turn, owner by owner */
  ownerOf?: () => string
  /** who may register; everybody unless told */
  registration?: RegistrationMode
}

/** Who is there and what proves it: everything of this folder, built over the same stores. */
export function createAuth(needs: AuthNeeds): Auth {
  const { knex, redis, prefix, transaction, events, secret, cancelJobsOf, onError, passwordCost } = needs
  const beforeRemoval = needs.beforeRemoval ?? (async () => undefined)
  const users = createUserStore({ knex })
  const apiKeys = createApiKeyStore({ knex })
  const sessions = createSessionStore({ knex })
  const tokens = createTokens({ secret })
  const passwords = createPasswords({
    ...(passwordCost ? { cost: passwordCost } : {}),
    ...(needs.ownerOf ? { ownerOf: needs.ownerOf } : {})
  })
  const memory = createCredentialMemory()
  const revocations = createRevocations({ redis, prefix, transaction, forget: memory.forget })
  const credentials = createCredentials({ tokens, revocations, sessions, apiKeys })
  const authenticator = createAuthenticator({ knex, tokens, memory, onError })
  const invitations = createInvitations({ store: createInvitationStore({ knex }) })
  return {
    authenticator,
    tickets: createTickets({ redis, prefix, authenticator }),
    accounts: createAccounts({
      transaction,
      events,
      users,
      failedLogins: createFailedLoginStore({ knex }),
      passwords,
      credentials,
      invitations,
      registration: needs.registration ?? 'open',
      onError
    }),
    invitations,
    apiKeys: createApiKeys({ transaction, users, apiKeys, authenticator, credentials }),
    users: createUsers({ transaction, events, users, passwords, credentials, cancelJobsOf, beforeRemoval })
  }
}
