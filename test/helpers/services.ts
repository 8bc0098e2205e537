import { randomBytes } from 'node:crypto'
import { connect } from 'amqplib'
import { Redis } from 'ioredis'
import pg from 'pg'

export type ServiceUrls = { databaseUrl: string; redisUrl: string; rabbitmqUrl: string }

/** Names of one test file's own place in each service. */
export type Isolation = ServiceUrls & {
  /** Migrated, as the whole database is this file's own. */
  schema: string
  /** First part of every Redis key. */
  prefix: string
  exchange: string
  /** Drops the database, the keys and the exchanges. To be called when nothing uses them any more. */
  remove: () => Promise<void>
}

/** Addresses of the services that `npm test` started. Throws when it did not: nothing is skipped for want of one. */
export function serviceUrls(): ServiceUrls {
  const [databaseUrl, redisUrl, rabbitmqUrl] = required('TEST_DATABASE_URL', 'TEST_REDIS_URL', 'TEST_RABBITMQ_URL')
  return { databaseUrl, redisUrl, rabbitmqUrl } as ServiceUrls
}

function required(...names: string[]): string[] {
  const missing = names.filter((name) => !process.env[name])
  if (missing.length) {
    throw new Error(
      `${missing.join(', ')} not set: run \`npm test\`, which starts the services, or \`npm test -- <file>\` for one file`
    )
  }
  return names.map((name) => process.env[name] as string)
}

/**
 * Copies the database that `npm test` migrated, which takes a tenth of the time that migrating takes; its schema has the
 * template's name. Makes up a key prefix and an exchange name that nobody else uses.
 */
export async function createIsolation(): Promise<Isolation> {
  const urls = serviceUrls()
  const [template] = required('TEST_DATABASE_TEMPLATE') as [string]
  const name = `test_${randomBytes(6).toString('hex')}`
  await withDatabase(urls.databaseUrl, (client) => client.query(`create database ${name} template ${template}`))
  const own = new URL(urls.databaseUrl)
  own.pathname = `/${name}`
  // A process among many on a busy machine may say nothing for longer than one that serves people may.
  own.searchParams.set('idle_in_transaction_session_timeout', '60000')
  const place = { ...urls, databaseUrl: own.href, schema: template, prefix: name, exchange: `${name}.events` }
  const remove = () => removeAll({ ...urls, database: name, prefix: place.prefix, exchange: place.exchange })
  return { ...place, remove }
}

/** As createIsolation, for one test: everything is removed when the test ends. */
export async function isolated(t: { teardown: (remove: () => Promise<void>) => void }): Promise<Isolation> {
  const isolation = await createIsolation()
  t.teardown(isolation.remove)
  return isolation
}

async function removeAll(place: ServiceUrls & { database: string; prefix: string; exchange: string }): Promise<void> {
  const ends = await Promise.allSettled([
    withDatabase(place.databaseUrl, (client) => client.query(`drop database if exists ${place.database} with (force)`)),
    removeKeys(place.redisUrl, place.prefix),
    removeExchanges(place.rabbitmqUrl, place.exchange)
  ])
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed) throw failed.reason
}

async function withDatabase<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 60_000 })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** The prefix is unique, so it may stand anywhere in a key: some have a hash tag before it. */
async function removeKeys(url: string, prefix: string): Promise<void> {
  const redis = new Redis(url, { maxRetriesPerRequest: 3 })
  try {
    for await (const keys of redis.scanStream({ match: `*${prefix}*`, count: 1000 }) as AsyncIterable<string[]>) {
      if (keys.length) await redis.unlink(keys)
    }
  } finally {
    redis.disconnect()
  }
}

/** RabbitMQ answers a deletion of what is not there as if it had been. */
async function removeExchanges(url: string, exchange: string): Promise<void> {
  const connection = await connect(url)
  try {
    const channel = await connection.createChannel()
    const unrouted = exchange.replace(/\.events$/, '.unrouted')
    await channel.deleteExchange(exchange)
    await channel.deleteExchange(unrouted)
    await channel.deleteQueue(unrouted)
  } finally {
    await connection.close()
  }
}
