import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createIsolation, type Isolation } from './services.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export type Platform = {
  url: string
  adminKey: string
  isolation: Isolation
  dataDir: string
  /** environment that loaders and further processes need to reach this instance */
  env: Record<string, string>
  launcher: ChildProcess
  /** Ctrl-C; resolves with the launcher's exit code. */
  stop(): Promise<number | null>
}

/**
 * Starts the real processes as `npm start` does, on the tests' services, and removes all they left when the test ends.
 * @param env further variables, for example limits
 */
export async function startPlatform(
  t: { teardown: (remove: () => Promise<void>) => void },
  env: Record<string, string> = {}
): Promise<Platform> {
  const isolation = await createIsolation()
  const dataDir = await mkdtemp(join(tmpdir(), 'goals-'))
  const own: Record<string, string> = {
    DATABASE_URL: isolation.databaseUrl,
    DATABASE_SCHEMA: isolation.schema,
    REDIS_URL: isolation.redisUrl,
    REDIS_PREFIX: isolation.prefix,
    RABBITMQ_URL: isolation.rabbitmqUrl,
    EVENTS_EXCHANGE: isolation.exchange,
    DATA_DIR: dataDir,
    PORT: '0',
    LOG_LEVEL: 'warn',
    ...env
  }
  const launcher = spawn(process.execPath, [join(root, 'scripts/start.ts')], {
    env: { ...process.env, ...own },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  launcher.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  launcher.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exited = once(launcher, 'exit')

  async function stop(): Promise<number | null> {
    if (launcher.exitCode === null) launcher.kill('SIGTERM')
    const [code] = await exited
    return code as number | null
  }
  t.teardown(async () => {
    await stop()
    await isolation.remove()
    await rm(dataDir, { recursive: true, force: true })
  })

  const deadline = Date.now() + 180_000
  while (!output.includes('Ready after')) {
    if (launcher.exitCode !== null || Date.now() > deadline) throw new Error(`the platform did not start:\n${output}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { apiUrl } = JSON.parse(await readFile(join(dataDir, 'services.json'), 'utf8')) as { apiUrl: string }
  const adminKey = (await readFile(join(dataDir, 'admin.key'), 'utf8')).trim()
  return { url: apiUrl, adminKey, isolation, dataDir, env: own, launcher, stop }
}

export type Call = {
  <T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>
  ): Promise<{ status: number; body: T; headers: Headers }>
}

/** A JSON client of `/api/v1` with one credential. */
export function caller(url: string, token?: string): Call {
  return async (method, path, body, headers = {}) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    return { status: response.status, body: (text ? JSON.parse(text) : undefined) as never, headers: response.headers }
  }
}
