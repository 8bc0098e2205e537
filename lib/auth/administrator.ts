import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'
import type { Config } from '../config.ts'
import { createEventLog } from '../events/log.ts'
import { createLogger } from '../logger.ts'
import { createRedis } from '../redis/client.ts'
import { createApiKeyStore } from '../store/people/api-keys.ts'
import { createKnex } from '../store/knex.ts'
import { createTransaction, type Transaction } from '../store/transaction.ts'
import { createUserStore, type UserRow } from '../store/people/users.ts'
import { hashApiKey, newApiKey } from './api-key.ts'
import { createPasswords } from './passwords.ts'
import { createRevocations } from './revocations.ts'
import { toUserView } from './user-view.ts'

/** The administrator of an instance that starts, with a key of this start; the password only when it was made just now. */
export type PreparedAdmin = { email: string; apiKey: string; password?: string }

export type AdminConfig = Pick<
  Config,
  'databaseUrl' | 'databaseSchema' | 'redisUrl' | 'redisPrefix' | 'adminEmail' | 'adminPassword'
>

const keyName = 'npm start'

/**
 * For the launcher, on a migrated database: sees to the first administrator and their key. Opens and closes its own
 * connections.
 * @param keptKey the key of the last start, which goes on when it still holds; else that one is revoked and a new one made
 * @throws Error when there is no administrator and `ADMIN_EMAIL` belongs to somebody who is none
 */
export async function prepareAdmin(config: AdminConfig, keptKey?: string): Promise<PreparedAdmin> {
  const log = createLogger({ level: 'silent', name: 'administrator' })
  const redis = config.redisUrl
    ? createRedis(config.redisUrl, { kind: 'commands', name: 'administrator', log })
    : undefined
  try {
    return await withDatabase(config, async (knex, transaction) => {
      const { admin, password } = await ensureAdmin(knex, transaction, config)
      const apiKeys = createApiKeyStore({ knex })
      const said = password === undefined ? {} : { password }
      const owner = keptKey ? await apiKeys.findOwner({ hash: hashApiKey(keptKey) }) : undefined
      if (keptKey && owner?.id === admin.id) return { email: admin.email, apiKey: keptKey, ...said }
      const { key, hash, hint } = newApiKey()
      await transaction.transact(async (trx) => {
        const revoked = await apiKeys.revokeNamed(trx, admin.id, keyName)
        await apiKeys.insert(trx, { userId: admin.id, name: keyName, hash, hint, expiresAt: null })
        if (!redis) return
        const revocations = createRevocations({
          redis,
          prefix: config.redisPrefix,
          transaction,
          forget: () => undefined
        })
        for (const credentialId of revoked) revocations.publishAfter(trx, { userId: admin.id, credentialId })
      })
      return { email: admin.email, apiKey: key, ...said }
    })
  } finally {
    await redis?.quit().catch(() => redis.disconnect()) // a Redis that is away has nobody to tell
  }
}

/**
 * For a server that starts without the launcher: sees to the first administrator and makes no key.
 * Of several at once one makes it. @throws Error as `prepareAdmin` does
 */
export async function ensureAdministrator(config: AdminConfig): Promise<void> {
  await withDatabase(config, (knex, transaction) => ensureAdmin(knex, transaction, config))
}

async function withDatabase<T>(
  { databaseUrl, databaseSchema }: AdminConfig,
  work: (knex: Knex, transaction: Transaction) => Promise<T>
): Promise<T> {
  if (!databaseUrl) throw new Error('Preparing the administrator needs a database URL')
  const knex = createKnex({ databaseUrl, schema: databaseSchema, poolMax: 2, applicationName: 'goals-administrator' })
  try {
    return await work(knex, createTransaction({ knex, onError: () => undefined }))
  } finally {
    await knex.destroy()
  }
}

/**
 * The administrator of `ADMIN_EMAIL`, else the oldest one there is (the address may have been changed since),
 * else a new one. An account that somebody registered under the address is never promoted.
 */
async function ensureAdmin(
  knex: Knex,
  transaction: Transaction,
  { adminEmail, adminPassword }: AdminConfig
): Promise<{ admin: UserRow; password?: string }> {
  const users = createUserStore({ knex })
  const events = createEventLog({ transaction, wake: async () => undefined })
  const password = adminPassword ?? randomBytes(18).toString('base64url')
  const isFirst = (await transaction.transact(async (trx) => await users.lockAdmins(trx))).length === 0
  // Ahead: on a busy machine it may take longer than a transaction may be idle.
  const password_hash = isFirst ? await createPasswords().hash(password) : undefined
  return await transaction.transact(async (trx) => {
    const admins = await users.lockFirstAdmin(trx)
    const admin = admins.find((row) => row.email.toLowerCase() === adminEmail.toLowerCase()) ?? admins[0]
    if (admin) return { admin }
    if (password_hash === undefined) throw new Error('The last administrator was removed at this moment: start again')

    const created = await users.insert(trx, { email: adminEmail, password_hash, name: 'Administrator', role: 'admin' })
    if (!created) {
      throw new Error(
        `There is no administrator, and ADMIN_EMAIL ${adminEmail} belongs to an account that is none: name another address`
      )
    }
    const { id } = created
    await events.append(trx, { type: 'user.created', userId: id, subject: id, data: toUserView(created) })
    return { admin: created, ...(adminPassword ? {} : { password }) }
  })
}
