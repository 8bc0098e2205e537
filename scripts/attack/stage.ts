import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { newTally, type Tally } from './http.ts'
import { createPeople, type People } from './people.ts'
import { openReceiver, type Receiver } from './receiver.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const startTimeoutMs = 120_000

/** The platform under attack, as `npm start` runs it with the limits that everybody has, and who comes to it. */
export type Stage = {
  url: string
  adminKey: string
  receiver: Receiver
  tally: Tally
  client: People['client']
  newPerson: People['newPerson']
  /** resident memory of a process in bytes */
  rssOf(name: 'api' | 'workers'): Promise<number>
  stop(): Promise<void>
}

/**
 * Starts a platform of its own on services of its own, or on those that `DATABASE_URL`, `REDIS_URL` and `RABBITMQ_URL`
 * name, with data in a folder that is removed at the end.
 * @param otherReceivers addresses of webhooks that the platform may call besides the stage's own receiver
 */
export async function openStage({
  otherReceivers,
  onLine
}: {
  otherReceivers: string[]
  onLine: (line: string) => void
}): Promise<Stage> {
  const dataDir = await mkdtemp(join(tmpdir(), 'goals-attack-'))
  const tally = newTally()
  const receiver = await openReceiver({ keepsBodies: false })
  let people: People | undefined = undefined
  let launcher: ChildProcess | undefined

  async function stop(): Promise<void> {
    people?.close()
    receiver.close()
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
        WEBHOOK_ALLOW: [receiver.url, ...otherReceivers].map((url) => new URL(url).host).join(',')
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
  people = createPeople({ url: apiUrl, tally, name: 'person', network: '127.1' })

  return {
    url: apiUrl,
    adminKey,
    receiver,
    tally,
    client: people.client,
    newPerson: people.newPerson,
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
