import cluster from 'node:cluster'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ensureAdministrator } from '../lib/auth/administrator.ts'
import { type Config, ConfigError } from '../lib/config.ts'
import { runProcess } from '../lib/process.ts'
import { startApi } from './start-api.ts'

/** How long a connection may stay open after its client was told to give it up: what clients count is not to the ms. */
const graceMs = 1_000

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

/**
 * Entry of an API process. On SIGTERM it spares idle connections for a while; on other signals, and with its launcher
 * gone, it does not: then nobody is there to take over.
 */
await runProcess({
  name: 'api',
  requires: ['databaseUrl', 'redisUrl'],
  async start({ config, context }) {
    // Without the launcher nobody else sees to the first administrator; nobody is told a password made up here.
    if (config.adminPassword) await ensureAdministrator(config)
    const api = await startApi({ context, version: await version() })
    await listen(api.server, config)
    // A process that shares its port would be ended by node the moment its launcher is gone.
    if (cluster.worker) cluster.worker.exitedAfterDisconnect = true
    const url = urlOf(config.host, (api.server.address() as AddressInfo).port)
    return {
      ready: { url },
      async stop(signal) {
        const idleMs = signal === 'SIGTERM' ? config.keepAliveMs + graceMs : 0
        await Promise.all([api.drain({ limitMs: config.drainMs, idleMs }), api.goAway()])
        await api.close()
      }
    }
  }
})
