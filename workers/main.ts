import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { jwtSecret } from '../lib/auth/jwt-secret.ts'
import { ConfigError, loadConfig } from '../lib/config.ts'
import { openContext, type ProcessConfig } from '../lib/context.ts'
import { createLogger } from '../lib/logger.ts'
import { startWorkers } from './start-workers.ts'

/** Entry of a worker process: the pools that the configuration names, the relay, the reconciler and the audit writer. */
async function main(): Promise<void> {
  const config = loadConfig(process.env)
  const missing = (['databaseUrl', 'redisUrl', 'rabbitmqUrl'] as const).filter((name) => !config[name])
  if (missing.length > 0) {
    throw new ConfigError(missing.map((name) => `${environmentName(name)} is required (npm start fills it in)`))
  }
  const complete = { ...config, jwtSecret: await jwtSecret(config) } as ProcessConfig
  const log = createLogger({ level: config.logLevel, name: 'workers' })
  const { context, close } = openContext({ config: complete, name: 'workers', log })
  const workers = await startWorkers({ context, name: workerName() })

  let stopping: Promise<void> | undefined
  const stop = (signal: string) => {
    stopping ??= (async () => {
      log.info({ signal }, 'workers are draining')
      await workers.stop()
      await close()
      log.info('workers have stopped')
    })().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'workers could not stop cleanly')
        process.exit(1)
      }
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // The launcher's end is ours too: nothing may be left running without it.
  process.on('disconnect', () => stop('disconnect'))
  log.info({ queues: config.workerQueues }, 'workers are ready')
  process.send?.({ type: 'ready' })
}

/** A container that is started again has the host name and often the process id of the one that died. */
const workerName = () => `${hostname()}-${randomBytes(4).toString('hex')}-${process.pid}`

const environmentName = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`)
  process.exit(1)
}
