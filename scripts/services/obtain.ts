import { canInstall } from './apt.ts'
import { dockerWorks, type ServiceName } from './docker.ts'
import { installMissing } from './install.ts'
import { findChromium, findPostgres, findRabbitmq, findRedis, type PostgresProgram } from './programs.ts'
import { startError } from './start-error.ts'
import type { Step } from './steps.ts'

export const titles: Record<ServiceName, string> = { postgres: 'PostgreSQL', redis: 'Redis', rabbitmq: 'RabbitMQ' }

type Needs = {
  services: ServiceName[]
  /** Whether Chromium is needed too. */
  browser: boolean
  path: string
  logFile: string
  step: Step
  env: NodeJS.ProcessEnv
}

export type Obtained = {
  postgres: PostgresProgram[]
  redis: string | undefined
  rabbitmq: string | undefined
  chromium: string | undefined
  /** Services that have no program here and run in containers. */
  inContainers: ServiceName[]
}

/**
 * Finds a way to run each service: a program of this machine, else a Docker engine, else packages that are installed
 * now. Rejects with one StartError that names everything that could not be had, and what would help.
 */
export async function obtain({ services, browser, path, logFile, step, env }: Needs): Promise<Obtained> {
  let found = await look(path)
  let missing = services.filter((name) => lacks(found, name))
  const docker = missing.length > 0 && (await dockerWorks(env))
  const inContainers = docker ? missing : []
  const install = docker ? [] : missing
  const wantsChromium = browser && !found.chromium
  if ((install.length || wantsChromium) && (await canInstall())) {
    const names = [...install.map((name) => titles[name]), ...(wantsChromium ? ['Chromium'] : [])]
    const wanted = {
      postgres: install.includes('postgres'),
      redis: install.includes('redis'),
      rabbitmq: install.includes('rabbitmq'),
      chromium: wantsChromium
    }
    await step(`install ${names.join(', ')}`, (say) => installMissing(wanted, path, logFile, say))
    found = await look(path)
    missing = services.filter((name) => lacks(found, name))
  }
  const unobtainable = missing.filter((name) => !inContainers.includes(name))
  const noBrowser = browser && !found.chromium
  if (unobtainable.length || noBrowser) throw startError(howToGet(unobtainable, noBrowser))
  return { ...found, inContainers }
}

async function look(path: string): Promise<Omit<Obtained, 'inContainers'>> {
  const [postgres, redis, rabbitmq, chromium] = await Promise.all([
    findPostgres(path),
    findRedis(path),
    findRabbitmq(path),
    findChromium(path)
  ])
  return { postgres, redis, rabbitmq, chromium }
}

function lacks(found: Omit<Obtained, 'inContainers'>, name: ServiceName): boolean {
  return name === 'postgres' ? !found.postgres[0]?.hasVector : !found[name]
}

function howToGet(missing: ServiceName[], browser: boolean): string {
  const help: Record<ServiceName, string> = {
    postgres:
      'PostgreSQL 15 or later with pgvector: set DATABASE_URL, or install both ' +
      '(Debian 13: `apt-get install postgresql-17-pgvector`; macOS: `brew install postgresql@17 pgvector`)',
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
