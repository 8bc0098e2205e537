import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { TestFn } from 'ava'
import { createApp } from '../../api/app.ts'
import { createHealth } from '../../api/health/health.ts'
import { createBodyReader } from '../../api/intake/body-reader.ts'
import { createApiServer } from '../../api/http-server.ts'
import { adminEndpoints } from '../../api/routes/admin.ts'
import { usageEndpoints } from '../../api/routes/usage.ts'
import { newApiKey } from '../../lib/auth/api-key.ts'
import { createAuth } from '../../lib/auth/index.ts'
import { type Context, openContext } from '../../lib/context.ts'
import { createDecisionReader } from '../../lib/gate/decision-reader.ts'
import { createLogger } from '../../lib/logger.ts'
import { createApiKeyStore } from '../../lib/store/people/api-keys.ts'
import { cheapCost } from './auth.ts'
import { createBackgroundWorkStore } from '../../lib/store/operations/background-work.ts'
import { createRelayStore } from '../../lib/store/events/relay.ts'
import { newUser, testConfig } from './context.ts'
import { connected, gateFor } from './gate.ts'
import { caller } from './platform.ts'
import { createIsolation, type Isolation } from './services.ts'

export type AdminApi = Awaited<ReturnType<typeof openProcess>>

/** Limits of addresses that no test reaches; those of users are the contract's. */
const roomy = Object.fromEntries(
  ['address', 'auth', 'login_failed', 'address_ai'].map((name) => [name, { limitPerMinute: 100_000 }])
)

/**
 * The administrators' routes over HTTP, as the app mounts them, on a database of the file's own.
 * @returns `api`: the first process, to be called inside tests; `another`: one more on the same services
 */
export function adminApiForFile(test: TestFn, env: Record<string, string> = {}) {
  let isolation: Isolation | undefined
  const processes: AdminApi[] = []
  const open = async () => {
    const opened = await openProcess(isolation as Isolation, env)
    processes.push(opened)
    return opened
  }
  test.before(async () => {
    isolation = await createIsolation()
    await open()
  })
  test.after.always(async () => {
    for (const opened of processes.toReversed()) await opened.close()
    await isolation?.remove()
  })
  return {
    api: (): AdminApi => {
      if (!processes[0]) throw new Error('the process is opened before the first test')
      return processes[0]
    },
    another: open
  }
}

async function openProcess(isolation: Isolation, env: Record<string, string>) {
  const config = testConfig(isolation, { RATE_LIMITS: JSON.stringify(roomy), ...env })
  const log = createLogger({ level: 'silent', name: 'test' })
  const { context, close } = openContext({ config, name: 'test', log })
  const closers: (() => Promise<unknown>)[] = [close]
  const teardown = { teardown: (closer: () => unknown) => void closers.push(async () => await closer()) }

  const { admin, jobs, budgetStore } = context
  await admin.overrides.start()
  closers.push(admin.overrides.stop)
  const gateRedis = await connected(teardown as never, isolation.redisUrl)
  const gate = gateFor({
    redis: gateRedis,
    prefix: isolation.prefix,
    limits: admin.limits,
    overrides: admin.overrides,
    recordDirectly: admin.recordDecisions
  })
  closers.push(gate.close)
  const reader = createDecisionReader({
    redis: await connected(teardown as never, isolation.redisUrl),
    prefix: isolation.prefix,
    onBatch: admin.recordDecisions,
    setAside: async () => {},
    idleMs: 20,
    log
  })
  reader.start()
  closers.push(reader.stop)

  // Cheap passwords, because the tests try many.
  const auth = createAuth({
    ...context,
    secret: config.jwtSecret,
    cancelJobsOf: jobs.cancelAllOf,
    onError: () => undefined,
    passwordCost: cheapCost
  })
  const bodies = createBodyReader()
  closers.push(bodies.close)
  const app = createApp({
    config,
    log,
    version: '0.0.0-test',
    auth,
    gate,
    watch: { add() {}, remove() {} },
    bodies,
    owners: context.owners,
    health: createHealth({ probes: {}, vital: 'postgres' }),
    queues: context.queues.all(),
    relayLag: createRelayStore(context).lag,
    failingWork: createBackgroundWorkStore(context).failing,
    countDeadLetters: context.deadLetterStore.count,
    endpoints: [
      ...adminEndpoints({ admin, gate, jobs, budgetStore, deadLetterStore: context.deadLetterStore }),
      ...usageEndpoints({ usage: admin.usage, budgetStore })
    ],
    openAi: []
  })
  const server = createApiServer(app, context.config)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    context,
    accounts: auth.accounts,
    admin,
    gate,
    reader,
    url,
    stranger: caller(url),
    /** somebody new with an API key, that sends requests below `/api/v1` */
    async newClient(role: 'user' | 'admin' = 'user') {
      const id = await newUser(context, role)
      const token = await newToken(context, id)
      return { id, token, send: caller(url, token) }
    },
    async close() {
      for (const closer of closers.toReversed()) await closer()
    }
  }
}

async function newToken({ knex }: Context, userId: string): Promise<string> {
  const { key, hash, hint } = newApiKey()
  await createApiKeyStore({ knex }).insert(knex, { userId, name: 'test', hash, hint, expiresAt: null })
  return key
}
