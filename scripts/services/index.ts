import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { canInstall } from './apt.ts'
import { dockerWorks, type ServiceName, startContainer } from './docker.ts'
import { installMissing } from './install.ts'
import { startPostgres } from './postgres.ts'
import type { PrivateService } from './private-service.ts'
import { findChromium, findPostgres, findRabbitmq, findRedis } from './programs.ts'
import { startRabbitmq } from './rabbitmq.ts'
import { startRedis } from './redis.ts'
import { startError } from './start-error.ts'
import type { Step } from './steps.ts'

export type ServicesOptions = {
  /** Everything that private instances keep is below this folder. */
  dataDir: string
  /** Addresses that are given already; a service without one is started. */
  wanted: { databaseUrl?: string | undefined; redisUrl?: string | undefined; rabbitmqUrl?: string | undefined }
  /** Also see to it that Chromium is installed (for tests in a browser). */
  browser?: boolean
  /** False gives up what protects data from a power cut, for tests. */
  durable: boolean
  step: Step
  env: NodeJS.ProcessEnv
}

export type Services = {
  databaseUrl: string
  redisUrl: string
  /** `off` when no broker is wanted. */
  rabbitmqUrl: string
  chromium: string | undefined
  /** Stops what was started here, all at once; what was given stays as it is. */
  stop: () => Promise<void>
  /** Asks them to stop without waiting for it. */
  letGo: () => void
  /** Starts again, at the same address, what has died since; resolves with the titles of what that was. */
  revive: () => Promise<string[]>
}

type Found = {
  postgres: Awaited<ReturnType<typeof findPostgres>>
  redis: string | undefined
  rabbitmq: string | undefined
  chromium: string | undefined
}

const titles: Record<ServiceName, string> = { postgres: 'PostgreSQL', redis: 'Redis', rabbitmq: 'RabbitMQ' }
const composeFile = fileURLToPath(new URL('../../docker-compose.yml', import.meta.url))

/**
 * Starts a private instance of each service that has no address: with a program of this machine, else with a Docker
 * engine, else with packages installed for the purpose. Rejects with one StartError that names everything that could
 * not be had and the command that would help; what did start is stopped again by then.
 */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const { wanted, durable, step, env } = options
  const dataDir = resolve(options.dataDir)
  const path = `${env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`
  const logs = join(dataDir, 'logs')
  await mkdir(logs, { recursive: true, mode: 0o755 })

  const needed: ServiceName[] = []
  if (!wanted.databaseUrl) needed.push('postgres')
  if (!wanted.redisUrl) needed.push('redis')
  if (!wanted.rabbitmqUrl) needed.push('rabbitmq')

  let found = await look(path)
  const lacks = (name: ServiceName) => (name === 'postgres' ? !found.postgres[0]?.hasVector : !found[name])
  let missing = needed.filter(lacks)
  const docker = missing.length > 0 && (await dockerWorks(env))
  const browser = options.browser === true && !found.chromium
  if (((missing.length && !docker) || browser) && (await canInstall())) {
    const names = [...(docker ? [] : missing.map((name) => titles[name])), ...(browser ? ['Chromium'] : [])]
    const absent = (name: ServiceName) => !docker && missing.includes(name)
    const parts = { postgres: absent('postgres'), redis: absent('redis'), rabbitmq: absent('rabbitmq') }
    await step(`install ${names.join(', ')}`, (say) =>
      installMissing({ ...parts, chromium: browser }, path, join(logs, 'install.log'), say)
    )
    found = await look(path)
    missing = needed.filter(lacks)
  }
  if ((missing.length && !docker) || (options.browser && !found.chromium)) {
    throw startError(howToGet(docker ? [] : missing, options.browser === true && !found.chromium))
  }

  const place = (name: string) => ({ folder: join(dataDir, name), durable, path, logFile: join(logs, `${name}.log`) })
  const container = (name: ServiceName) =>
    startContainer(name, { composeFile, dataDir, env, logFile: join(logs, `${name}.log`) })
  const starts: Record<ServiceName, () => Promise<PrivateService>> = {
    postgres: () => startPostgres(found.postgres, place('postgres')),
    redis: () => startRedis(found.redis as string, place('redis')),
    rabbitmq: () => startRabbitmq(found.rabbitmq as string, place('rabbitmq'))
  }
  const start = (name: ServiceName) => (missing.includes(name) ? container(name) : starts[name]())
  const started = new Map<ServiceName, PrivateService>()
  const results = await Promise.allSettled(
    needed.map((name) =>
      step(`start ${titles[name]}`, async () => {
        started.set(name, await start(name))
      })
    )
  )
  const stop = async () => {
    const ends = await Promise.allSettled([...started.values()].map((service) => service.stop()))
    started.clear()
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed) throw failed.reason
  }
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []))
  if (failures.length) {
    await stop()
    throw startError(failures.map((failure) => failure.message).join('\n'), failures[0])
  }
  return {
    databaseUrl: wanted.databaseUrl ?? (started.get('postgres')?.url as string),
    redisUrl: wanted.redisUrl ?? (started.get('redis')?.url as string),
    rabbitmqUrl: wanted.rabbitmqUrl ?? (started.get('rabbitmq')?.url as string),
    chromium: found.chromium,
    stop,
    letGo: () => {
      for (const service of started.values()) service.letGo()
    },
    revive: async () => {
      const revived: string[] = []
      for (const [name, service] of started) {
        if (await service.isRunning()) continue
        const again = await start(name)
        started.set(name, again)
        if (again.url !== service.url) throw startError(`${titles[name]} came back at another address`)
        revived.push(titles[name])
      }
      return revived
    }
  }
}

async function look(path: string): Promise<Found> {
  const [postgres, redis, rabbitmq, chromium] = await Promise.all([
    findPostgres(path),
    findRedis(path),
    findRabbitmq(path),
    findChromium(path)
  ])
  return { postgres, redis, rabbitmq, chromium }
}

function howToGet(missing: ServiceName[], browser: boolean): string {
  const help: Record<ServiceName, string> = {
    postgres: 'PostgreSQL 15 or later with pgvector: set DATABASE_URL, or `apt-get install postgresql-17-pgvector`',
    redis: 'Redis 6.2 or later: set REDIS_URL, or `apt-get install redis-server` (macOS: `brew install redis`)',
    rabbitmq:
      'RabbitMQ 3.10 or later: set RABBITMQ_URL (`off` runs without), or `apt-get install rabbitmq-server` ' +
      '(macOS: `brew install rabbitmq`)'
  }
  const lines = missing.map((name) => `- ${help[name]}`)
  if (browser) lines.push('- Chromium: `apt-get install chromium`')
  if (missing.length) lines.push('A running Docker engine, or root on Debian or Ubuntu, does without any of this.')
  return `Not found on this machine:\n${lines.join('\n')}`
}
