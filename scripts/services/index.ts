import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ServiceName, startContainer } from './docker.ts'
import { obtain, titles } from './obtain.ts'
import { startPostgres } from './postgres.ts'
import type { PrivateService } from './private-service.ts'
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
  /** Work that can begin while the broker, the slowest, still starts. */
  onStores?: (urls: { databaseUrl: string; redisUrl: string }) => Promise<void>
  /** Is told, before anything starts, how to let go of all that runs by then. */
  onKill?: (letGo: () => void) => void
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

const composeFile = fileURLToPath(new URL('../../docker-compose.yml', import.meta.url))

/**
 * Starts a private instance of each service that has no address. Rejects with a StartError when one cannot be had or
 * does not start, or with the failure of `onStores`; what did start is stopped again by then.
 */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const { wanted, durable, step, env, onStores, onKill, browser = false } = options
  const dataDir = resolve(options.dataDir)
  const path = `${env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`
  const logs = join(dataDir, 'logs')
  await mkdir(logs, { recursive: true, mode: 0o755 })

  const needed: ServiceName[] = []
  if (!wanted.databaseUrl) needed.push('postgres')
  if (!wanted.redisUrl) needed.push('redis')
  if (!wanted.rabbitmqUrl) needed.push('rabbitmq')
  const found = await obtain({ services: needed, browser, path, logFile: join(logs, 'install.log'), step, env })

  const place = (name: string) => ({ folder: join(dataDir, name), durable, path, logFile: join(logs, `${name}.log`) })
  const programs: Record<ServiceName, () => Promise<PrivateService>> = {
    postgres: () => startPostgres(found.postgres, place('postgres')),
    redis: () => startRedis(found.redis as string, place('redis')),
    rabbitmq: () => startRabbitmq(found.rabbitmq as string, place('rabbitmq'))
  }
  const start = (name: ServiceName) =>
    found.inContainers.includes(name)
      ? startContainer(name, { composeFile, dataDir, env, logFile: join(logs, `${name}.log`) })
      : programs[name]()

  const started = new Map<ServiceName, PrivateService>()
  const letGo = () => {
    for (const service of started.values()) service.letGo()
  }
  onKill?.(letGo)
  const urls = () => ({
    databaseUrl: wanted.databaseUrl ?? (started.get('postgres')?.url as string),
    redisUrl: wanted.redisUrl ?? (started.get('redis')?.url as string),
    rabbitmqUrl: wanted.rabbitmqUrl ?? (started.get('rabbitmq')?.url as string)
  })
  const stop = async () => {
    const ends = await Promise.allSettled([...started.values()].map((service) => service.stop()))
    started.clear()
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed) throw failed.reason
  }

  const starts = needed.map((name) =>
    step(`start ${titles[name]}`, async () => {
      started.set(name, await start(name))
    })
  )
  const stores = starts.filter((_, index) => needed[index] !== 'rabbitmq')
  const work = Promise.all(stores).then(() => onStores?.(urls()))
  const results = await Promise.allSettled([...starts, work])
  const failures = [...new Set(results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : [])))]
  if (failures.length) {
    await stop()
    if (failures.length === 1) throw failures[0]
    throw startError(failures.map((failure) => (failure as Error).message).join('\n'), failures[0])
  }

  return {
    ...urls(),
    chromium: found.chromium,
    stop,
    letGo,
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
