import { jwtSecret } from './auth/jwt-secret.ts'
import { type Config, ConfigError, loadConfig } from './config.ts'
import { type Context, openContext, type ProcessConfig } from './context.ts'
import { createLogger, type Logger } from './logger.ts'

/** What a process does once its context is open. */
export type Running = {
  /** for its log, beside "ready", and for its launcher */
  ready: Record<string, unknown>
  /** @param signal what asked for it: SIGTERM, SIGINT, SIGHUP, or `disconnect` when the launcher is gone */
  stop(signal: string): Promise<void>
}

/**
 * The whole life of a process: reads its configuration, opens its context, starts it, tells its launcher that it is
 * ready, and stops it in order at a signal or when its launcher is gone, for nothing may be left running without it.
 * A process that cannot start says why on its error output and ends with 1.
 * @param requires settings that have no default for this process
 */
export async function runProcess({
  name,
  requires,
  start
}: {
  name: string
  requires: readonly ('databaseUrl' | 'redisUrl' | 'rabbitmqUrl')[]
  start: (process: { config: Config; context: Context; log: Logger }) => Promise<Running>
}): Promise<void> {
  try {
    const config = loadConfig(process.env)
    const missing = requires.filter((key) => !config[key])
    if (missing.length > 0) {
      throw new ConfigError(missing.map((key) => `${environmentName(key)} is required (npm start fills it in)`))
    }
    const log = createLogger({ level: config.logLevel, name })
    const complete = { ...config, jwtSecret: await jwtSecret(config) } as ProcessConfig
    const { context, close } = openContext({ config: complete, name, log })
    const { ready, stop } = await start({ config, context, log })
    stopOnSignal(async (signal) => {
      await stop(signal)
      await close()
    }, log)
    log.info(ready, 'ready')
    process.send?.({ type: 'ready', ...ready })
  } catch (error) {
    process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`)
    process.exit(1)
  }
}

function stopOnSignal(stop: (signal: string) => Promise<void>, log: Logger): void {
  let stopping: Promise<void> | undefined
  const stopOnce = (signal: string) => {
    if (stopping) return
    log.info({ signal }, 'stopping')
    stopping = stop(signal).then(
      () => {
        log.info('stopped')
        process.exit(0)
      },
      (error: unknown) => {
        log.error({ err: error }, 'could not stop cleanly')
        process.exit(1)
      }
    )
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, stopOnce)
  process.on('disconnect', () => stopOnce('disconnect'))
}

const environmentName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
