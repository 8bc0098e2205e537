import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startServices } from '../../scripts/services/index.ts'
import { withPostgres } from '../../scripts/services/postgres-client.ts'
import { runOrFail } from '../../scripts/services/run-command.ts'
import type { Closers } from '../../scripts/start/closers.ts'
import { type Child, startChild } from './child.ts'
import { root } from './run-bench.ts'

export type Stage = {
  /** database of the platform, migrated */
  databaseUrl: string
  redisUrl: string
  /** folder of compiled modules, as API and workers have it */
  compileCache: string
  jwtSecret: string
  admin: { email: string; password: string }
  /** Starts an API process, as `npm start` does. */
  startApi(env?: Record<string, string>): Promise<Child & { url: string }>
  /** Starts a worker process, as `npm start` does. */
  startWorkers(env?: Record<string, string>): Promise<Child>
  /** Starts a program of `bench/`, with `REDIS_URL` and the `DATABASE_URL` of an empty database of the same server. */
  startProgram(file: string, env?: Record<string, string>): Promise<Child & { url: string; databaseUrl: string }>
}

/** No bucket may run dry: what is measured is what letting in costs. */
const limits = JSON.stringify(
  Object.fromEntries(
    ['api_call', 'embedding_generation', 'rag_search', 'address', 'address_ai', 'auth'].map((name) => [
      name,
      { limitPerMinute: 600_000, burst: 1 }
    ])
  )
)

/** As the launcher has it for API and workers. */
const memoryGivenBack = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: String(1024 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(4 * 1024 * 1024)
}

/**
 * Private services with the durability that `npm start` gives them (each commit is on disk, Redis's file each second), an
 * emptied Redis, and new databases that are dropped at the end.
 * @param broker whether RabbitMQ runs too; without it events go to sockets and webhooks alone
 */
export async function openStage({
  closers,
  say,
  profiles,
  broker = true
}: {
  closers: Closers
  say: (line: string) => void
  profiles?: string | undefined
  broker?: boolean
}): Promise<Stage> {
  const dataDir = join(root, '.data/bench/suite')
  const logs = join(dataDir, 'logs')
  await mkdir(logs, { recursive: true })
  say(`starting PostgreSQL, Redis${broker ? ' and RabbitMQ' : ''}`)
  const services = await startServices({
    dataDir,
    wanted: broker ? {} : { rabbitmqUrl: 'off' },
    durable: true,
    step: async (_title, work) => await work(() => undefined),
    env: process.env
  })
  closers.add(services.stop)

  const redis = new Redis(services.redisUrl)
  await redis.flushall()
  redis.disconnect()
  const newDatabase = async (): Promise<string> => {
    const name = `bench_${randomBytes(5).toString('hex')}`
    const inServer = (sql: string) => withPostgres(services.databaseUrl, (client) => client.query(sql))
    await inServer(`create database ${name}`)
    closers.add(() => inServer(`drop database ${name} with (force)`))
    return Object.assign(new URL(services.databaseUrl), { pathname: `/${name}` }).href
  }
  const databaseUrl = await newDatabase()

  const jwtSecret = randomBytes(32).toString('base64url')
  const admin = { email: 'admin@bench.test', password: randomBytes(18).toString('base64url') }
  const compileCache = join(dataDir, 'cache')
  const env = {
    ...process.env,
    ...memoryGivenBack,
    NODE_COMPILE_CACHE: compileCache,
    NODE_ENV: '',
    DATABASE_URL: databaseUrl,
    DATABASE_SCHEMA: 'public',
    REDIS_URL: services.redisUrl,
    RABBITMQ_URL: services.rabbitmqUrl,
    JWT_SECRET: jwtSecret,
    ADMIN_EMAIL: admin.email,
    ADMIN_PASSWORD: admin.password,
    DATA_DIR: dataDir,
    PORT: '0',
    RATE_LIMITS: limits
  }
  say('migrating')
  await runOrFail(process.execPath, [join(root, 'scripts/migrate.ts')], { env, logFile: join(logs, 'migrate.log') })

  const nodeOptions = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`]
  const start = async (file: string, own: NodeJS.ProcessEnv, options: string[] = []) => {
    const child = await startChild(join(root, file), { env: own, logs, nodeOptions: options })
    closers.add(child.stop)
    return { ...child, url: child.ready.url ?? '' }
  }
  return {
    databaseUrl,
    redisUrl: services.redisUrl,
    compileCache,
    jwtSecret,
    admin,
    startApi: (more = {}) => start('api/server.ts', { ...env, ...more }, nodeOptions),
    startWorkers: (more = {}) => start('workers/main.ts', { ...env, ...more }, nodeOptions),
    async startProgram(file, more = {}) {
      const own = { NODE_ENV: 'production', DATABASE_URL: await newDatabase(), REDIS_URL: services.redisUrl, ...more }
      const program = await start(join('bench', file), { ...process.env, ...own })
      return { ...program, databaseUrl: own.DATABASE_URL }
    }
  }
}
