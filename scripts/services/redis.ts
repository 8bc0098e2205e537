import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type DaemonSpec, startDaemon, untilReady } from './daemon.ts'
import type { PrivateService, ServicePlace } from './private-service.ts'
import { keptSecret } from './secret-file.ts'
import { probePort } from './probe-port.ts'

/** A private Redis or Valkey on 127.0.0.1 with a password, an append-only file, and no eviction. */
export async function startRedis(program: string, place: ServicePlace): Promise<PrivateService> {
  const { folder, durable, logFile, path } = place
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const password = await keptSecret(join(folder, 'password'))
  const settings = [
    'bind 127.0.0.1',
    'protected-mode yes',
    'daemonize no',
    `dir ${JSON.stringify(folder)}`,
    'save ""',
    'appendonly yes',
    `appendfsync ${durable ? 'everysec' : 'no'}`,
    'maxmemory-policy noeviction', // BullMQ loses jobs under any other
    `requirepass ${password}`
  ].join('\n')
  const configFile = join(folder, 'redis.conf')
  await writeFile(configFile, `${settings}\n`, { mode: 0o600 })

  const spec: DaemonSpec = {
    name: 'Redis',
    command: program,
    onPort: (port) => ({ args: [configFile, '--port', String(port)], env: { PATH: path, LC_ALL: 'C' } }),
    cwd: folder,
    logFile,
    pidFile: join(folder, 'pid.json'),
    portFile: join(folder, 'port'),
    fingerprint: `${folder} durable=${durable}`,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 20_000
  }
  const daemon = await startDaemon(spec)
  const isUp = async () => (await probePort(daemon.port, `AUTH ${password}\r\nPING\r\n`, '+PONG')) !== undefined
  await untilReady(spec, daemon, isUp, 60_000)
  return { ...daemon, url: `redis://:${password}@127.0.0.1:${daemon.port}/0` }
}
