import type { TestFn } from 'ava'
import { Redis } from 'ioredis'
import type { Knex } from 'knex'
import type { RegistrationMode } from '../../lib/auth/accounts.ts'
import { createAuth } from '../../lib/auth/index.ts'
import type { PasswordCost } from '../../lib/auth/passwords.ts'
import { createEventLog } from '../../lib/events/log.ts'
import { createKnex } from '../../lib/store/knex.ts'
import { createTransaction } from '../../lib/store/transaction.ts'
import { createIsolation, type Isolation, isolated } from './services.ts'

/** A password hash that costs almost nothing, for tests that are not about passwords. */
export const cheapCost = { log2N: 4, r: 1, p: 1 }

/** An address of nobody (RFC 5737) that logins come from. */
export const ip = '192.0.2.7'

export const testSecret = 'a secret of the tests, long enough for HS256'

type Teardown = { teardown: (close: () => Promise<void>) => void }

/**
 * One database for all tests of a file, for those that do not mind each other's rows.
 * @returns a function that gives it with a prefix nobody else uses, to be called inside tests
 */
export function placeForFile(test: TestFn): () => Isolation {
  let place: Isolation | undefined
  let given = 0
  test.before(async () => {
    place = await createIsolation()
  })
  test.after.always(async () => await place?.remove())
  return () => {
    if (!place) throw new Error('the database is made before the first test')
    return { ...place, prefix: `${place.prefix}_${given++}` }
  }
}

/** The auth room over a database, its own unless told, with what a test needs to look behind it. */
export async function startAuth(
  t: Teardown,
  {
    passwordCost = cheapCost,
    place: given,
    registration = 'open'
  }: { passwordCost?: PasswordCost; place?: Isolation | undefined; registration?: RegistrationMode | undefined } = {}
) {
  const place = given ?? (await isolated(t))
  const knex: Knex = createKnex({ databaseUrl: place.databaseUrl, schema: place.schema })
  const redis = new Redis(place.redisUrl)
  t.teardown(async () => {
    await knex.destroy()
    redis.disconnect()
  })
  const errors: unknown[] = []
  const cancelledFor: string[] = []
  const transaction = createTransaction({ knex, onError: (error) => errors.push(error) })
  const events = createEventLog({ transaction, wake: async () => undefined })
  const auth = createAuth({
    knex,
    redis,
    prefix: place.prefix,
    transaction,
    events,
    secret: testSecret,
    cancelJobsOf: async (userId) => cancelledFor.push(userId),
    onError: (error) => errors.push(error),
    passwordCost,
    registration
  })
  return { ...auth, place, knex, redis, transaction, events, errors, cancelledFor }
}
