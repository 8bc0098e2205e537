import { connect } from 'amqplib'
import { Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import { withPostgres } from '../services/postgres-client.ts'
import { startError } from '../services/start-error.ts'
import type { Step } from '../services/steps.ts'

type Given = { databaseUrl?: string | undefined; redisUrl?: string | undefined; rabbitmqUrl?: string | undefined }

/**
 * Sees whether the services whose addresses were given answer and are what is needed; they get some time, since they
 * may be starting too. Rejects with one StartError that names each that is not usable, never its password.
 */
export async function checkReachable(given: Given, step: Step, patienceMs = 10_000): Promise<void> {
  const checks: [string, string, string | undefined, (url: string) => Promise<void>][] = [
    ['PostgreSQL', 'DATABASE_URL', given.databaseUrl, checkPostgres],
    ['Redis', 'REDIS_URL', given.redisUrl, checkRedis],
    ['RabbitMQ', 'RABBITMQ_URL', given.rabbitmqUrl === 'off' ? undefined : given.rabbitmqUrl, checkRabbitmq]
  ]
  const results = await Promise.allSettled(
    checks.map(async ([title, variable, url, check]) => {
      if (!url) return
      await step(`reach ${title}`, () => insist(() => check(url), `${variable} (${placeOf(url)})`, patienceMs))
    })
  )
  const problems = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as Error).message] : []))
  if (problems.length) throw startError(problems.join('\n'))
}

async function insist(check: () => Promise<void>, name: string, patienceMs: number): Promise<void> {
  const deadline = Date.now() + patienceMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      const { name: kind, message, code } = error as NodeJS.ErrnoException
      if (kind === 'StartError') throw startError(`${name} ${message}`)
      if (Date.now() > deadline) throw startError(`${name} cannot be used: ${message || code}`, error)
      await sleep(250)
    }
  }
}

function placeOf(url: string): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname}`
}

async function checkPostgres(url: string): Promise<void> {
  await withPostgres(url, async (client) => {
    const { rows } = await client.query<{ version: string; vector: boolean }>(
      `select current_setting('server_version_num') as version,
         exists (select from pg_available_extensions where name = 'vector') as vector`
    )
    const major = Math.floor(Number(rows[0]?.version) / 10_000)
    if (major < 15) throw startError(`is PostgreSQL ${major}; 15 or later is needed`)
    if (!rows[0]?.vector) throw startError('has no pgvector: install the extension `vector` on that server')
  })
}

async function checkRedis(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 5_000,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null
  })
  let failure: Error | undefined
  redis.on('error', (error: Error) => {
    failure = error // "Connection is closed." alone would not say why
  })
  try {
    const info = await redis.info('server')
    const [major = 0, minor = 0] = (/redis_version:(\d+)\.(\d+)/.exec(info) ?? []).slice(1).map(Number)
    if (major < 6 || (major === 6 && minor < 2)) throw startError(`is Redis ${major}.${minor}; 6.2 or later is needed`)
  } catch (error) {
    throw failure ?? error
  } finally {
    redis.disconnect()
  }
}

async function checkRabbitmq(url: string): Promise<void> {
  const connection = await connect(url, { timeout: 5_000 })
  await connection.close()
}
