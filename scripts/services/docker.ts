import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { rememberedPort } from './free-port.ts'
import type { PrivateService } from './private-service.ts'
import { runCommand, runOrFail } from './run-command.ts'
import { keptSecret } from './secret-file.ts'

export type ServiceName = 'postgres' | 'redis' | 'rabbitmq'

/** Whether containers can be run: an engine answers and the client knows `compose`. A client alone is no engine. */
export async function dockerWorks(env: NodeJS.ProcessEnv): Promise<boolean> {
  const options = { env, timeoutMs: 10_000 }
  const engine = await runCommand('docker', ['info', '--format', '{{.ServerVersion}}'], options)
  return engine.code === 0 && (await runCommand('docker', ['compose', 'version'], options)).code === 0
}

type Options = { composeFile: string; dataDir: string; logFile: string; env: NodeJS.ProcessEnv }

/**
 * Starts one service of docker-compose.yml in a project named after the data folder, published on a free port of
 * 127.0.0.1. Its data is in a named volume of that project and outlives the container.
 */
export async function startContainer(service: ServiceName, options: Options): Promise<PrivateService> {
  const { composeFile, dataDir, logFile } = options
  const folder = join(dataDir, service)
  await mkdir(folder, { recursive: true })
  const password = await keptSecret(join(folder, 'password'))
  const port = await rememberedPort(join(folder, 'port'))
  const project = `goals-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`
  const upper = service.toUpperCase()
  const env = {
    ...options.env,
    JWT_SECRET: 'unused by the services',
    ADMIN_EMAIL: 'unused@localhost',
    ADMIN_PASSWORD: 'unused',
    POSTGRES_PASSWORD: password,
    REDIS_PASSWORD: password,
    RABBITMQ_PASSWORD: password,
    [`${upper}_PORT`]: String(port)
  }
  const compose = (...args: string[]) =>
    runOrFail('docker', ['compose', '-p', project, '-f', composeFile, ...args], { env, logFile })
  await compose('up', '--detach', '--wait', '--no-deps', service)
  const at = `${password}@127.0.0.1:${port}`
  const urls = {
    postgres: `postgres://goals:${at}/goals`,
    redis: `redis://:${at}/0`,
    rabbitmq: `amqp://goals:${at}`
  }
  const stop = async () => void (await compose('stop', service))
  // The engine restarts a container that dies; and a stop that nobody waits for is carried out by the engine too.
  return { url: urls[service], isRunning: () => Promise.resolve(true), stop, letGo: () => void stop() }
}
