import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PreparedAdmin } from '../../lib/auth/administrator.ts'
import type { Config } from '../../lib/config.ts'
import { anyPort } from '../services/free-port.ts'
import { startServices } from '../services/index.ts'
import { runOrFail } from '../services/run-command.ts'
import { banner } from './banner.ts'
import { checkPort } from './check-port.ts'
import { checkReachable } from './check-reachable.ts'
import type { Closers } from './closers.ts'
import { keepServices } from './keep-services.ts'
import type { Progress } from './progress.ts'
import { createRollingRestart } from './rolling-restart.ts'
import { createSupervisor, stopLeftBehind } from './supervisor.ts'

export type LauncherOptions = {
  config: Config
  env: NodeJS.ProcessEnv
  /** Shows the children's output on the terminal instead of writing it to files. */
  verbose: boolean
  progress: Progress
  /** Gets a closer for everything that is started, in order. */
  closers: Closers
  /** Aborted when somebody wants it stopped while it still starts. */
  signal: AbortSignal
  /** The project's own parts, so that the launcher knows only their shape. */
  parts: {
    api: string
    workers: string
    migrateFile: string
    jwtSecret: (config: Config) => Promise<string>
    migrate: (config: Config) => Promise<string[]>
    prepareAdmin: (config: Config, keptKey?: string) => Promise<PreparedAdmin>
  }
}

/** Ends everything at once, without draining. */
export type Kill = () => void

/**
 * Brings everything up in order in a data folder that this process has locked, showing each step, and ends with the
 * banner. Rejects with a StartError (or whatever a part throws) when it cannot; what had been started by then is in the
 * closers. `onKill` is told how to end each part at once.
 * @returns what replaces API and workers by new processes while it serves
 */
export async function launch(options: LauncherOptions, onKill: (kill: Kill) => void): Promise<() => Promise<void>> {
  const { config, env, verbose, progress, closers, signal, parts } = options
  const { dataDir, production } = config
  const { step, print } = progress
  const logFolder = join(dataDir, 'logs')
  await mkdir(logFolder, { recursive: true })
  const stopTimeoutMs = config.drainMs + 5_000
  const pidFileOf = (name: string) => join(dataDir, `${name}.json`)

  for (const name of ['api', 'workers']) await stopLeftBehind({ pidFile: pidFileOf(name), stopTimeoutMs })
  await checkPort(config.port, config.host)
  const given = { databaseUrl: config.databaseUrl, redisUrl: config.redisUrl, rabbitmqUrl: config.rabbitmqUrl }
  await checkReachable(given, step)
  signal.throwIfAborted()

  const jwtSecret = await parts.jwtSecret(config)
  const admin = Promise.withResolvers<PreparedAdmin>()
  const keyFile = join(dataDir, 'admin.key')
  const services = await startServices({
    dataDir,
    wanted: given,
    durable: true,
    step,
    env,
    onKill,
    onStores: async (stores) => {
      await step('migrate the database', async (say) => {
        const names = await parts.migrate({ ...config, ...stores })
        say(names.length ? `${names.length} migrations` : 'up to date')
      })
      const keptKey = await readFile(keyFile, 'utf8').catch(() => undefined)
      const prepare = () => parts.prepareAdmin({ ...config, ...stores }, keptKey?.trim())
      admin.resolve(await step("see to the administrator's key", prepare))
    }
  })
  closers.add(() => step('stop services', services.stop))
  closers.add(keepServices(services, print))
  signal.throwIfAborted()
  const { databaseUrl, redisUrl, rabbitmqUrl } = services
  const { email, apiKey, password } = await admin.promise
  await writePrivate(keyFile, apiKey)
  if (password) await writePrivate(join(dataDir, 'admin.password'), password)
  signal.throwIfAborted()

  // Any port is chosen once: it stays the same after a restart.
  const port = config.port === 0 ? await anyPort(config.host) : config.port
  const childEnv = () => ({
    NODE_COMPILE_CACHE: join(dataDir, 'cache'),
    ...memoryGivenBack,
    ...env,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    RABBITMQ_URL: rabbitmqUrl,
    JWT_SECRET: jwtSecret,
    DATA_DIR: dataDir,
    PORT: String(port)
  })
  const supervise = (title: string, name: 'api' | 'workers', sharesPort: boolean) => {
    const logFile = verbose ? undefined : join(logFolder, `${name}.log`)
    const spec = { title, file: parts[name], env: childEnv, sharesPort, logFile, pidFile: pidFileOf(name) }
    const supervisor = createSupervisor({ ...spec, stopTimeoutMs, readyTimeoutMs: 60_000 }, print)
    onKill(supervisor.kill)
    return supervisor
  }
  const api = supervise('API', 'api', true)
  const workers = supervise('Workers', 'workers', false)
  closers.add(() =>
    step('finish jobs in flight', async (say) => {
      const orderly = await Promise.all([api.stop(), workers.stop()])
      if (orderly.includes(false)) say('a process had to be killed')
    })
  )
  const [ready] = await Promise.all([step('start the API', api.start), step('start the workers', workers.start)])
  const apiUrl = ready.url ?? `http://${config.host}:${port}`

  const addresses = join(dataDir, 'services.json')
  closers.add(() => rm(addresses, { force: true }))
  await writePrivate(addresses, JSON.stringify({ databaseUrl, redisUrl, rabbitmqUrl, apiUrl }, null, 2))
  signal.throwIfAborted()
  print(
    banner({
      url: apiUrl,
      admin: { email, apiKey, password },
      keyFile,
      production,
      logFolder: verbose ? undefined : logFolder,
      registration: config.registration,
      paid: !config.openai.offline,
      chatModel: config.chatModel,
      baseUrl: config.openai.baseUrl,
      defaultDailyPico: config.defaultDailyPico
    })
  )
  return createRollingRestart({
    // In a process of its own, which has the code that is there now.
    migrate: async () => (await runOrFail(process.execPath, [parts.migrateFile], { env: childEnv() })).trim(),
    // Workers first: they know what the old API may still ask for, and what the new one will.
    parts: [
      { title: 'workers', supervisor: workers },
      { title: 'API', supervisor: api }
    ],
    step,
    notes: join(dataDir, 'restart.jsonl')
  })
}

/**
 * Has glibc give memory back after a crowd of large bodies, which it otherwise keeps in an arena for each thread, for
 * ever (mallopt(3)). Others than glibc do not read these.
 */
const memoryGivenBack = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: String(1024 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(4 * 1024 * 1024)
}

/** The mode given at creation does not change that of a file that is there already. */
async function writePrivate(file: string, text: string): Promise<void> {
  await writeFile(file, `${text}\n`, { mode: 0o600 })
  await chmod(file, 0o600)
}
