import { Redis } from 'ioredis'
import type { Knex } from 'knex'
import { createAuth } from '../../lib/auth/index.ts'
import { createEventLog } from '../../lib/events/log.ts'
import { createKnex, migrateLatest } from '../../lib/store/knex.ts'
import { createTransaction } from '../../lib/store/transaction.ts'
import { type Isolation, isolated } from './services.ts'

/** A password hash that costs almost nothing, for tests that are not about passwords. */
export const cheapCost = { log2N: 4, r: 1, p: 1 }

export const testSecret = 'a secret of the tests, long enough for HS256'

type Teardown = { teardown: (close: () => Promise<void>) => void }

/** The auth room over a migrated schema of its own, with what a test needs to look behind it. */
export async function startAuth(t: Teardown, { passwordCost = cheapCost } = {}) {
  const place: Isolation = await isolated(t)
  const settings = { databaseUrl: place.databaseUrl, schema: place.schema }
  await migrateLatest({ databaseUrl: place.databaseUrl, databaseSchema: place.schema })
  const knex: Knex = createKnex(settings)
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
    passwordCost
  })
  return { ...auth, place, knex, redis, transaction, events, errors, cancelledFor }
}
