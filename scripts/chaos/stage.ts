import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { OfflineProvider } from '@goals/offline-provider'
import { Redis } from 'ioredis'
import type { Knex } from 'knex'
import { gateActions } from '../../lib/actions/actions.ts'
import { prepareAdmin } from '../../lib/auth/administrator.ts'
import { loadConfig } from '../../lib/config.ts'
import { openOfflineProvider } from '../../lib/models/open-offline.ts'
import { createKnex, migrateLatest } from '../../lib/store/knex.ts'
import { freePort } from '../services/free-port.ts'
import { startServices, type Services } from '../services/index.ts'
import { createSupervisor, type Supervisor } from '../start/supervisor.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export type ProcessName = 'api-1' | 'api-2' | 'workers-1' | 'workers-2'
export const processNames: ProcessName[] = ['api-1', 'api-2', 'workers-1', 'workers-2']

/** A migrated database and an exchange of services that no blow will hit. */
export type Spared = { databaseUrl: string; schema: string; rabbitmqUrl: string; exchange: string }

/** Everything the storm blows at: private services, four processes and a provider that keeps its invoice here. */
export type Stage = {
  urls: { databaseUrl: string; redisUrl: string; rabbitmqUrl: string }
  /** of the two API processes; they keep their ports when they are started again */
  apiUrls: string[]
  adminKey: string
  knex: Knex
  redis: Redis
  provider: OfflineProvider
  /** the process's id now */
  pidOf(name: ProcessName): Promise<number>
  servicePid(name: 'postgres' | 'redis' | 'rabbitmq'): Promise<number>
  /** Starts whichever private service is dead, at its old address. */
  revive(): Promise<void>
  /** Deletes what Redis keeps on disk: it comes back empty. */
  emptyRedisFolder(): Promise<void>
  /** where Redis would put a snapshot */
  snapshotFile: string
  rabbitmqFolder: string
  /** Replaces one process by a new one, as a rolling restart does. @returns the old one's exit was orderly */
  replace(name: ProcessName): Promise<boolean>
  /** folder of the processes' logs */
  logs: string
  /** @param keepLogs leaves the logs where they are */
  stop(keepLogs?: boolean): Promise<void>
}

const limits = JSON.stringify(
  Object.fromEntries(
    [...gateActions, 'address', 'auth', 'address_ai'].map((name) => [name, { limitPerMinute: 600_000, burst: 1 }])
  )
)

/** @param spared what is used instead of starting a PostgreSQL and a RabbitMQ; Redis is private always */
export async function buildStage({
  latencyMs,
  step,
  spared
}: {
  latencyMs: number
  step: <T>(title: string, work: () => Promise<T>) => Promise<T>
  spared?: Spared
}): Promise<Stage> {
  const dataDir = await mkdtemp(join(tmpdir(), 'goals-chaos-'))
  const logs = join(dataDir, 'logs')
  const closers: (() => Promise<unknown>)[] = []
  await mkdir(logs, { recursive: true })
  const stop = async (keepLogs = false) => {
    for (const close of closers.toReversed()) await close().catch(() => undefined) // the next one still has to go
    const names = await readdir(dataDir)
    for (const name of names) {
      if (!keepLogs || name !== 'logs') await rm(join(dataDir, name), { recursive: true, force: true })
    }
    if (!keepLogs) await rm(dataDir, { recursive: true, force: true })
  }
  try {
    const services: Services = await startServices({
      dataDir,
      wanted: { databaseUrl: spared?.databaseUrl, rabbitmqUrl: spared?.rabbitmqUrl },
      durable: true,
      step: (title, work) => step(title, () => work(() => undefined)),
      env: process.env
    })
    closers.push(services.stop)
    const { databaseUrl, redisUrl, rabbitmqUrl } = services
    const provider = openOfflineProvider({ latencyMs })
    const listening = await provider.listen()
    closers.push(() => listening.close())

    const env = {
      ...process.env,
      DATABASE_URL: databaseUrl,
      ...(spared ? { DATABASE_SCHEMA: spared.schema, EVENTS_EXCHANGE: spared.exchange } : {}),
      REDIS_URL: redisUrl,
      RABBITMQ_URL: rabbitmqUrl,
      OPENAI_BASE_URL: listening.url,
      OPENAI_API_KEY: 'chaos',
      CHAT_MODEL: 'offline-chat-mini',
      EMBEDDING_MODEL: 'offline-embedding-small',
      JWT_SECRET: 'the storm signs with this and nothing else',
      DATA_DIR: dataDir,
      RATE_LIMITS: limits,
      DEFAULT_DAILY_BUDGET_USD: 'off',
      DRAIN_SECONDS: '5',
      JOB_BACKOFF_MS: '200',
      JOB_ATTEMPTS: '20',
      RECONCILE_SECONDS: '2',
      LOG_LEVEL: 'warn',
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE || join(dataDir, 'cache')
    }
    const config = loadConfig(env)
    await step('migrate', () => migrateLatest(config))
    const { apiKey } = await step('make the key', () => prepareAdmin(config))

    const supervisors = new Map<ProcessName, Supervisor>()
    const pidFile = (name: ProcessName) => join(dataDir, `${name}.json`)
    const supervise = async (name: ProcessName): Promise<Supervisor> => {
      const isApi = name.startsWith('api')
      const port = isApi ? await freePort() : 0
      return createSupervisor(
        {
          title: name,
          file: join(root, isApi ? 'api/server.ts' : 'workers/main.ts'),
          env: () => ({ ...env, PORT: String(port) }),
          sharesPort: isApi,
          logFile: join(logs, `${name}.log`),
          pidFile: pidFile(name),
          readyTimeoutMs: 240_000,
          stopTimeoutMs: 15_000,
          backoff: { first: 200, max: 2_000, calm: 3_000 }
        },
        () => undefined
      )
    }
    closers.push(async () => {
      await Promise.all([...supervisors.values()].map((supervisor) => supervisor.stop()))
    })
    const apiUrls: string[] = []
    await step('start two APIs and two workers', async () => {
      for (const name of processNames) {
        const supervisor = await supervise(name)
        supervisors.set(name, supervisor)
        const { url } = await supervisor.start()
        if (url) apiUrls.push(url)
      }
    })
    const knex = createKnex({ databaseUrl, schema: config.databaseSchema, poolMax: 4, applicationName: 'goals-chaos' })
    closers.push(() => knex.destroy())
    const redis = new Redis(redisUrl, { maxRetriesPerRequest: null })
    redis.on('error', () => undefined) // it is meant to fail
    closers.push(async () => redis.disconnect())

    const readPid = async (file: string) => (JSON.parse(await readFile(file, 'utf8')) as { pid: number }).pid
    return {
      urls: { databaseUrl, redisUrl, rabbitmqUrl },
      apiUrls,
      adminKey: apiKey,
      logs,
      knex,
      redis,
      provider,
      pidOf: (name) => readPid(pidFile(name)),
      servicePid: (name) => readPid(join(dataDir, name, 'pid.json')),
      async revive() {
        await services.revive()
      },
      snapshotFile: join(dataDir, 'redis', 'dump.rdb'),
      rabbitmqFolder: join(dataDir, 'rabbitmq'),
      emptyRedisFolder: () => rm(join(dataDir, 'redis', 'appendonlydir'), { recursive: true, force: true }),
      replace: (name) => (supervisors.get(name) as Supervisor).replace(),
      stop
    }
  } catch (error) {
    await stop()
    throw error
  }
}
