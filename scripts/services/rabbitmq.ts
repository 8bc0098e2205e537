import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Daemon, type DaemonSpec, startDaemon, untilReady } from './daemon.ts'
import { freePort } from './free-port.ts'
import type { PrivateService, ServicePlace } from './private-service.ts'
import { findProgram } from './programs.ts'
import { keptSecret } from './secret-file.ts'
import { nodeName } from './rabbitmqctl.ts'
import { probePort } from './probe-port.ts'

const role = 'goals'
const protocolHeader = Buffer.from('AMQP\x00\x00\x09\x01', 'latin1')

/**
 * A private RabbitMQ node on 127.0.0.1: name, ports, folders, cookie and name server (epmd) of its own, so that it
 * neither meets nor disturbs another node of this machine. No plugins.
 */
export async function startRabbitmq(program: string, place: ServicePlace): Promise<PrivateService> {
  const { folder, logFile, path } = place
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const password = await keptSecret(join(folder, 'password'))
  const settings = [
    `default_user = ${role}`,
    `default_pass = ${password}`, // taken when the node's database is made
    'log.file = false',
    'log.console = true',
    'log.console.level = warning'
  ].join('\n')
  await writeFile(join(folder, 'rabbitmq.conf'), `${settings}\n`, { mode: 0o600 })
  await writeFile(join(folder, 'enabled_plugins'), '[].\n')

  const names = await startNameServer(place)
  const distributionPort = await freePort()
  const spec: DaemonSpec = {
    name: 'RabbitMQ',
    command: program,
    onPort: (port) => ({
      args: [],
      env: {
        PATH: path,
        HOME: folder,
        LC_ALL: 'C.UTF-8',
        ...names.env,
        RABBITMQ_NODENAME: nodeName,
        RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
        RABBITMQ_NODE_PORT: String(port),
        RABBITMQ_DIST_PORT: String(distributionPort),
        RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
        RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
        RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'none'),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
        RABBITMQ_MNESIA_BASE: join(folder, 'data'),
        RABBITMQ_LOG_BASE: join(folder, 'log'),
        RABBITMQ_PID_FILE: join(folder, 'node.pid'),
        RABBITMQ_LOGS: '-',
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
        // The start script then becomes the node itself, so that signals reach it without a shell in between.
        RABBITMQ_ALLOW_INPUT: '1',
        RABBITMQ_SERVER_START_ARGS: '-noinput +B i'
      }
    }),
    cwd: folder,
    logFile,
    pidFile: join(folder, 'pid.json'),
    portFile: join(folder, 'port'),
    fingerprint: folder,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 30_000
  }
  const stopNames = async () => names.daemon?.stop()
  try {
    const daemon = await startDaemon(spec)
    const isUp = async () => (await probePort(daemon.port, protocolHeader, 'PLAIN')) !== undefined
    await untilReady(spec, daemon, isUp, 120_000)
    const stop = async () => {
      await daemon.stop()
      await stopNames()
    }
    const letGo = () => {
      daemon.letGo()
      names.daemon?.letGo()
    }
    return { url: `amqp://${role}:${password}@127.0.0.1:${daemon.port}`, isRunning: daemon.isRunning, stop, letGo }
  } catch (error) {
    await stopNames()
    throw error
  }
}

/** Without one of its own the node would start the machine-wide epmd and leave it running. */
async function startNameServer(place: ServicePlace): Promise<{ daemon?: Daemon; env: Record<string, string> }> {
  const { folder, logFile, path } = place
  const epmd = await findProgram(['epmd'], path)
  const spec: DaemonSpec = {
    name: 'epmd',
    command: epmd ?? '',
    onPort: (port) => ({
      args: ['-address', '127.0.0.1', '-port', String(port)],
      env: { PATH: path, ERL_EPMD_RELAXED_COMMAND_CHECK: '1' }
    }),
    cwd: '/',
    logFile,
    pidFile: join(folder, 'epmd.json'),
    portFile: join(folder, 'epmd.port'),
    fingerprint: folder,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 2_000
  }
  if (!epmd) return { env: { ERL_EPMD_ADDRESS: '127.0.0.1' } }
  const daemon = await startDaemon(spec)
  return { daemon, env: { ERL_EPMD_ADDRESS: '127.0.0.1', ERL_EPMD_PORT: String(daemon.port) } }
}
