import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { type AppNeeds, createApp } from '../../api/app.ts'
import type { Endpoint } from '../../api/endpoint.ts'
import { createHealth, type Probe } from '../../api/health/health.ts'
import { createProbes, restsOn } from '../../api/health/probes.ts'
import { createBodyReader } from '../../api/intake/body-reader.ts'
import { createApiServer } from '../../api/http-server.ts'
import type { RegistrationMode } from '../../lib/auth/accounts.ts'
import { type Config, loadConfig } from '../../lib/config.ts'
import { createGate, type Gate } from '../../lib/gate/gate.ts'
import { defaultLimits, type GateLimits, mergeLimits } from '../../lib/gate/limits.ts'
import { newId } from '../../lib/ids.ts'
import { createLogger } from '../../lib/logger.ts'
import { readModelState } from '../../lib/models/provider-guard.ts'
import { createOwnerScope } from '../../lib/sharing/owner-scope.ts'
import { createBackgroundWorkStore } from '../../lib/store/operations/background-work.ts'
import { createDeadLetterStore } from '../../lib/store/operations/dead-letters.ts'
import { createRelayStore } from '../../lib/store/events/relay.ts'
import { startAuth } from './auth.ts'
import { patientRedisOptions, quiet } from './gate.ts'
import type { Isolation } from './services.ts'

/** An answer with its body read: parsed when it is JSON. */
export type Answer = { status: number; headers: Headers; body: ReturnType<typeof JSON.parse>; text: string }

type Sent = { token?: string | undefined; body?: unknown; headers?: Record<string, string>; redirect?: 'manual' }

type Options = {
  /** the file's; a schema of the test's own without it */
  place?: Isolation
  endpoints?: Endpoint[]
  env?: Record<string, string>
  limits?: Partial<GateLimits>
  probes?: Record<string, Probe>
  passwordCost?: { log2N: number; r: number; p: number }
  /** who may register; everybody unless told, as `enter` needs it */
  registration?: RegistrationMode
  /** gets every line of the log */
  onLog?: (line: string) => void
  needs?: (needs: AppNeeds) => Partial<AppNeeds>
}

type Teardown = Parameters<typeof startAuth>[0]

/** More than any test that is not about limits could use up. */
const roomyLimits = mergeLimits(defaultLimits, {
  address: { limitPerMinute: 100_000 },
  auth: { limitPerMinute: 100_000 },
  login_failed: { limitPerMinute: 100_000 },
  address_ai: { limitPerMinute: 100_000 },
  api_call: { limitPerMinute: 100_000 }
})

/** The HTTP side on an ephemeral port over real services, with a client. Closes with the test. */
export async function startApi(t: Teardown, options: Options = {}) {
  const { endpoints = [], env = {}, limits = roomyLimits, probes, passwordCost, registration, onLog, needs } = options
  const parts = await startAuth(t, { place: options.place, registration, ...(passwordCost ? { passwordCost } : {}) })
  const config: Config = loadConfig({ ...env })
  const queues = ['chat_completion', 'rag_search'].map(
    (name) => new Queue(name, { connection: parts.redis as never, prefix: `{${parts.place.prefix}}` })
  )
  const gateRedis = new Redis(parts.place.redisUrl, { ...patientRedisOptions, lazyConnect: true })
  await gateRedis.connect()
  const gate: Gate = createGate({
    redis: gateRedis,
    prefix: parts.place.prefix,
    limits: { ...roomyLimits, ...limits },
    processId: newId(),
    log: quiet,
    timeoutMs: 60_000
  })
  const work = {
    relayLag: createRelayStore({ knex: parts.knex }).lag,
    failingWork: createBackgroundWorkStore({ knex: parts.knex }).failing,
    countDeadLetters: createDeadLetterStore({ knex: parts.knex }).count
  }
  const usual = createProbes({
    knex: parts.knex,
    redis: parts.redis,
    prefix: parts.place.prefix,
    queues,
    liveWorkers: async () => await parts.knex('workers').select('id', 'queues'),
    rabbitmqUrl: parts.place.rabbitmqUrl,
    ...work,
    modelStates: async () => ({
      'offline-chat-mini': await readModelState(parts.redis, parts.place.prefix, 'offline-chat-mini')
    })
  })
  const log = createLogger(
    { level: onLog ? 'debug' : 'silent', name: 'test' },
    {
      write(line: string) {
        onLog?.(line)
      }
    }
  )
  const bodies = createBodyReader()
  const base: AppNeeds = {
    config,
    log,
    version: '0.0.0-test',
    auth: parts,
    gate,
    bodies,
    owners: createOwnerScope(),
    watch: { add() {}, remove() {} },
    health: createHealth({ probes: probes ?? usual.probes, vital: 'postgres', restsOn }),
    queues,
    ...work,
    endpoints,
    openAi: []
  }
  const server = createApiServer(createApp({ ...base, ...needs?.(base) }), config)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await usual.close()
    await bodies.close()
    await gate.close()
    gateRedis.disconnect()
    await Promise.all(queues.map((queue) => queue.close()))
  })

  async function send(method: string, path: string, { token, body, headers, redirect }: Sent = {}): Promise<Answer> {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array
    const response = await fetch(url + path, {
      method,
      redirect: redirect ?? 'follow',
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) })
    })
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson && text ? JSON.parse(text) : undefined
    }
  }

  /** Somebody new, through the front door. */
  async function enter(name = 'ada', role: 'user' | 'admin' = 'user') {
    const password = 'correct horse battery'
    const email = `${name}.${newId()}@example.org`
    const { user, token } = await parts.accounts.register({ email, password, name })
    if (role === 'admin') await parts.knex('users').where({ id: user.id }).update({ role })
    return { id: user.id, email, password, token }
  }

  return { ...parts, url, port, gate, queues, send, enter }
}
