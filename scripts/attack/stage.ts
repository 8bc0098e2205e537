import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Client, createClient, json, newTally, type Tally } from './http.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const startTimeoutMs = 120_000

export type Person = { id: string; email: string; password: string; token: string; client: Client }

/** A receiver of webhooks: paths under `/answer/` are answered at once, others never. */
export type Receiver = { url: string; got: { path: string; body: string; at: number }[] }

/** The platform under attack, as `npm start` runs it with the limits that everybody has, and who comes to it. */
export type Stage = {
  url: string
  adminKey: string
  receiver: Receiver
  tally: Tally
  /** Somebody at an address of their own; without `address` at the next free one. */
  client(address?: string): Client
  /** Registers somebody. Waits while their address has to. */
  newPerson(client?: Client): Promise<Person>
  /** resident memory of a process in bytes */
  rssOf(name: 'api' | 'workers'): Promise<number>
  stop(): Promise<void>
}

/**
 * Starts a platform of its own on services of its own, or on those that `DATABASE_URL`, `REDIS_URL` and `RABBITMQ_URL`
 * name, with data in a folder that is removed at the end.
 */
export async function openStage({ onLine }: { onLine: (line: string) => void }): Promise<Stage> {
  const dataDir = await mkdtemp(join(tmpdir(), 'goals-attack-'))
  const tally = newTally()
  const clients: Client[] = []
  const { server, receiver } = await openReceiver()
  let launcher: ChildProcess | undefined

  async function stop(): Promise<void> {
    for (const client of clients) client.close()
    server.closeAllConnections()
    server.close()
    if (launcher && launcher.exitCode === null) {
      const exited = once(launcher, 'exit')
      launcher.kill('SIGTERM')
      await exited
    }
    await rm(dataDir, { recursive: true, force: true })
  }

  try {
    launcher = spawn(process.execPath, [join(root, 'scripts/start.ts')], {
      env: {
        ...process.env,
        DATA_DIR: dataDir,
        PORT: '0',
        LOG_LEVEL: 'warn',
        WEBHOOK_ALLOW: new URL(receiver.url).host
      },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    await untilReady(launcher, onLine)
  } catch (error) {
    await stop()
    throw error
  }
  const { apiUrl } = JSON.parse(await readFile(join(dataDir, 'services.json'), 'utf8')) as { apiUrl: string }
  const adminKey = (await readFile(join(dataDir, 'admin.key'), 'utf8')).trim()
  let nextAddress = 0
  let nextPerson = 0

  const client = (address?: string): Client => {
    const n = nextAddress++
    const made = createClient({
      url: apiUrl,
      address: address ?? `127.1.${(n >> 8) & 255}.${n & 255 || 1}`,
      tally
    })
    clients.push(made)
    return made
  }

  return {
    url: apiUrl,
    adminKey,
    receiver,
    tally,
    client,
    async newPerson(at = client()) {
      const n = nextPerson++
      const email = `person-${n}-${process.pid}@example.test`
      const password = `a long password ${n}`
      for (let attempt = 0; ; attempt++) {
        const answer = await at.send('/api/v1/auth/register', { body: { email, password, name: 'Somebody' } })
        if (answer.status === 201) {
          const { user, token } = json<{ user: { id: string }; token: string }>(answer)
          return { id: user.id, email, password, token, client: at }
        }
        if (attempt === 20) throw new Error(`registering was answered ${answer.status}: ${answer.text.slice(0, 200)}`)
        await new Promise((resolve) => setTimeout(resolve, 1_000 * Number(answer.headers['retry-after'] ?? 1)))
      }
    },
    async rssOf(name) {
      const { pid } = JSON.parse(await readFile(join(dataDir, `${name}.json`), 'utf8')) as { pid: number }
      const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)])
      return Number(stdout.trim()) * 1024
    },
    stop
  }
}

async function untilReady(launcher: ChildProcess, onLine: (line: string) => void): Promise<void> {
  let output = ''
  const ready = Promise.withResolvers<void>()
  for (const stream of [launcher.stdout, launcher.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      for (const line of chunk.toString().split('\n')) if (line.startsWith('✓')) onLine(line.slice(2))
      if (output.includes('Ready after')) ready.resolve()
    })
  }
  const failed = (why: string) => ready.reject(new Error(`the platform ${why}:\n${output.slice(-2_000)}`))
  launcher.once('exit', () => failed('did not start'))
  const timer = setTimeout(() => failed('took too long to start'), startTimeoutMs)
  await ready.promise.finally(() => clearTimeout(timer))
}

async function openReceiver(): Promise<{ server: Server; receiver: Receiver }> {
  const got: Receiver['got'] = []
  const server = createServer((req, res) => {
    let body = ''
    req.on('data', (chunk: Buffer) => {
      body += chunk.toString()
    })
    req.on('end', () => {
      const path = req.url ?? ''
      got.push({ path, body, at: performance.now() })
      if (path.startsWith('/answer/')) res.writeHead(204).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, receiver: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, got } }
}
