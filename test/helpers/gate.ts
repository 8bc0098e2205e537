import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { Redis, type RedisOptions } from 'ioredis'
import { v7 as newId } from 'uuid'
import type { GateLog } from '../../lib/gate/decider.ts'
import type { RequestFacts } from '../../lib/gate/decision.ts'
import { decodeDecision } from '../../lib/gate/decision.ts'
import { createGate, type GateOptions } from '../../lib/gate/gate.ts'
import { createGateKeys } from '../../lib/gate/keys.ts'
import { defaultLimits } from '../../lib/gate/limits.ts'
import { gateRedisOptions } from '../../lib/gate/redis-options.ts'
import { anyPort } from '../../scripts/services/free-port.ts'

type Teardown = Pick<ExecutionContext, 'teardown'>

export const quiet: GateLog = { info() {}, warn() {}, error() {} }

/** The gate's options, without its haste: a busy machine may need longer to connect and to answer. */
export const patientRedisOptions = {
  ...gateRedisOptions,
  connectTimeout: 60_000,
  socketTimeout: 60_000
} satisfies RedisOptions

/** A connected client that closes with the test. */
export async function connected(
  t: Teardown,
  url: string,
  options: typeof patientRedisOptions = patientRedisOptions
): Promise<Redis> {
  const redis = new Redis(url, { ...options, lazyConnect: true })
  redis.on('error', () => undefined) // tests that stop the server expect them
  t.teardown(() => redis.disconnect())
  await redis.connect()
  return redis
}

/** The shared Redis and a prefix of this test's own, whose keys go with it. */
export async function ownPrefix(t: Teardown): Promise<{ redis: Redis; prefix: string; url: string }> {
  const url = process.env.TEST_REDIS_URL
  if (!url) throw new Error('TEST_REDIS_URL is not set: run `npm test -- <file>`, which starts the services')
  const prefix = `gate-test-${newId()}`
  const redis = new Redis(url, { ...patientRedisOptions, lazyConnect: true })
  await redis.connect()
  t.teardown(async () => {
    const keys = createGateKeys(prefix)
    for await (const found of redis.scanStream({ match: `*${prefix}*`, count: 1_000 }) as AsyncIterable<string[]>) {
      if (found.length > 0) await redis.unlink(found)
    }
    await redis.del(keys.processes)
    redis.disconnect()
  })
  return { redis, prefix, url }
}

/** A gate with the contract's limits. Patient by default, so that a busy machine does not make it decide alone. */
export function gateFor(options: Partial<GateOptions> & Pick<GateOptions, 'redis' | 'prefix'>) {
  return createGate({ limits: defaultLimits, processId: newId(), log: quiet, timeoutMs: 60_000, ...options })
}

export function facts(userId: string | null, changes: Partial<RequestFacts> = {}): RequestFacts {
  const request = { userId, action: 'api_call' as const, method: 'GET', path: '/api/v1/goals' }
  return { ...request, ip: '192.0.2.7', userAgent: 'test', ...changes }
}

export const user = (id: string) => ({ kind: 'user' as const, id })

/** Every decision that waits for its audit row. */
export async function waitingDecisions(redis: Redis, prefix: string) {
  const keys = createGateKeys(prefix)
  const entries = await Promise.all(keys.shards.map((shard) => redis.xrange(keys.decisions(shard), '-', '+')))
  return entries.flat().map(([, fields]) => {
    const decision = decodeDecision(fields)
    if (!decision) throw new Error(`not a decision: ${fields.join(' ')}`)
    return decision
  })
}

/** Resolves when `condition` holds; rejects with its name when it still does not after `limitMs`. */
export async function eventually(name: string, condition: () => boolean | Promise<boolean>, limitMs = 60_000) {
  const end = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms in vain: ${name}`)
    await delay(20)
  }
}

export type PrivateRedis = {
  url: string
  start(): Promise<void>
  /** Without a goodbye, as a crash; what was not saved is gone. */
  kill(): Promise<void>
  /** Goes on existing, and answers nothing until `thaw`. */
  freeze(): void
  thaw(): void
}

/** A Redis server of the test's own, on a free port, keeping nothing on disk. */
export async function privateRedis(t: Teardown, ...more: string[]): Promise<PrivateRedis> {
  const program = 'redis-server'
  const folder = await mkdtemp(join(tmpdir(), 'gate-redis-'))
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  let server: ChildProcess | undefined

  async function start() {
    const args = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      folder,
      '--save',
      '',
      '--appendonly',
      'no',
      ...more
    ]
    const child = spawn(program, args, { stdio: 'ignore' })
    server = child
    child.on('error', () => {}) // said by the wait below
    await eventually('redis-server starts', () => answers(url))
  }

  async function kill() {
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    server.kill('SIGKILL')
    await once(server, 'exit')
  }

  t.teardown(async () => {
    await kill()
    await rm(folder, { recursive: true, force: true })
  })
  await start()
  return { url, start, kill, freeze: () => void server?.kill('SIGSTOP'), thaw: () => void server?.kill('SIGCONT') }
}

async function answers(url: string): Promise<boolean> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 5_000 })
  redis.on('error', () => {})
  try {
    await redis.connect()
    return (await redis.ping()) === 'PONG'
  } catch {
    return false // not yet
  } finally {
    redis.disconnect()
  }
}

/** A port that nobody listens on, and that stays free while a server of it is started again. */
export const freePort = (): Promise<number> => anyPort('127.0.0.1')

/** A gate over a context's own Redis client, not started: for endpoints that only have to know one. */
export function gateOver({ redis, prefix }: { redis: Redis; prefix: string }) {
  return createGate({ redis, prefix, limits: defaultLimits, processId: newId(), log: quiet, announce: false })
}
