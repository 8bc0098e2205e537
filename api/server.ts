import cluster from 'node:cluster'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ensureAdministrator } from '../lib/auth/administrator.ts'
import { jwtSecret } from '../lib/auth/jwt-secret.ts'
import { type Config, ConfigError, loadConfig } from '../lib/config.ts'
import { openContext, type ProcessConfig } from '../lib/context.ts'
import { createLogger } from '../lib/logger.ts'
import { startApi } from './start-api.ts'

/** How long a connection may stay open after its client was told to give it up: what clients count is not to the ms. */
const graceMs = 1_000

/**
 * Entry of an API process. Ends in order on SIGTERM, and, without sparing idle connections, on SIGINT, SIGHUP and with
 * whoever started it: then nobody is there to take over.
 */
async function main(): Promise<void> {
  const config = loadConfig(process.env)
  const missing = [...(config.databaseUrl ? [] : ['DATABASE_URL']), ...(config.redisUrl ? [] : ['REDIS_URL'])]
  if (missing.length > 0) throw new ConfigError(missing.map((name) => `${name} is required (npm start fills it in)`))
  const complete = { ...config, jwtSecret: await jwtSecret(config) } as ProcessConfig
  // Without the launcher nobody else sees to the first administrator; nobody is told a password made up here.
  if (config.adminPassword) await ensureAdministrator(config)

  const log = createLogger({ level: config.logLevel, name: 'api' })
  const { context, close } = openContext({ config: complete, name: 'api', log })
  const api = await startApi({ context, version: await version() })
  const { server, drain } = api
  await listen(server, config)

  let stopping: Promise<void> | undefined
  const stop = (signal: string) => {
    stopping ??= (async () => {
      log.info({ signal }, 'the api is draining')
      const idleMs = signal === 'SIGTERM' ? config.keepAliveMs + graceMs : 0
      await Promise.all([drain({ limitMs: config.drainMs, idleMs }), api.goAway()])
      await api.close()
      await close()
      log.info('the api has stopped')
    })().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'the api could not stop cleanly')
        process.exit(1)
      }
    )
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, stop)
  process.on('disconnect', () => stop('disconnect'))
  // A process that shares its port would be ended by node the moment its launcher is gone.
  if (cluster.worker) cluster.worker.exitedAfterDisconnect = true
  const url = urlOf(config.host, (server.address() as AddressInfo).port)
  log.info({ url }, 'the api is ready')
  process.send?.({ type: 'ready', url })
}

async function listen(server: Server, { host, port }: Pick<Config, 'host' | 'port'>): Promise<void> {
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    const reasons: Record<string, string> = {
      EADDRINUSE: `${host}:${port} is in use`,
      EACCES: `${host}:${port} may not be used by this user`,
      EADDRNOTAVAIL: `${host} is not an address of this machine`
    }
    const reason = reasons[(error as NodeJS.ErrnoException).code ?? '']
    throw reason ? new ConfigError([`HOST, PORT: ${reason}`]) : error
  }
}

/** An address that can be called from this machine. */
function urlOf(host: string, port: number): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

async function version(): Promise<string> {
  const manifest = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return manifest.version
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof ConfigError ? error.message : (error as Error).stack}\n`)
  process.exit(1)
}
