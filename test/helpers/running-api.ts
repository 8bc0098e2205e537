import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { TestFn } from 'ava'
import { startApi } from '../../api/start-api.ts'
import { newApiKey } from '../../lib/auth/api-key.ts'
import { openContext } from '../../lib/context.ts'
import { createLogger } from '../../lib/logger.ts'
import { createApiKeyStore } from '../../lib/store/people/api-keys.ts'
import { newUser, type TestContext, testConfig } from './context.ts'
import { type Call, caller } from './platform.ts'
import { createIsolation, type Isolation } from './services.ts'

export type RunningApi = {
  context: TestContext
  url: string
  /** somebody new with an API key, that sends requests below `/api/v1` */
  newClient(role?: 'user' | 'admin'): Promise<{ id: string; key: string; send: Call }>
  /** Ends what is served, without an answer, as the end of its process does. */
  leave(): Promise<void>
}

/**
 * An API process as it runs, without workers, on a database of the file's own; opened before the first test and closed
 * after the last.
 * @returns `api`: to be called inside tests; `another`: opens one more on the same services, or on others by `more`;
 *   `onClose`: for what has to be closed after them
 * @param onOpen starts what belongs to the first
 */
export function runningApiForFile(
  test: TestFn,
  env: Record<string, string> = {},
  onOpen: (api: RunningApi, onClose: (close: () => Promise<unknown>) => void) => Promise<void> = async () => {}
) {
  let isolation: Isolation | undefined
  const closers: (() => Promise<unknown>)[] = []
  let first: RunningApi | undefined
  const another = async (more: Record<string, string> = {}): Promise<RunningApi> => {
    const opened = await openApi(isolation as Isolation, { ...env, ...more })
    closers.push(opened.close)
    return opened
  }
  test.before(async () => {
    isolation = await createIsolation()
    first = await another()
    await onOpen(first, (close) => closers.push(close))
  })
  test.after.always(async () => {
    for (const close of closers.toReversed()) await close()
    await isolation?.remove()
  })
  return {
    another,
    api: (): RunningApi => {
      if (!first) throw new Error('the API is opened before the first test')
      return first
    },
    /** closed after whatever is opened from now on */
    onClose: (close: () => Promise<unknown>) => void closers.push(close)
  }
}

async function openApi(isolation: Isolation, env: Record<string, string>) {
  const log = createLogger({ level: 'silent', name: 'test' })
  const { context, close } = openContext({ config: testConfig(isolation, env), name: 'test', log })
  const { server, ...api } = await startApi({ context, version: '0.0.0-test', gateTimeoutMs: 10_000 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { knex } = context
  async function leave() {
    if (!server.listening) return
    await api.goAway()
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return {
    context: { ...context, isolation },
    url,
    async newClient(role: 'user' | 'admin' = 'user') {
      const id = await newUser(context, role)
      const { key, hash, hint } = newApiKey()
      await createApiKeyStore({ knex }).insert(knex, { userId: id, name: 'test', hash, hint, expiresAt: null })
      return { id, key, send: caller(url, key) }
    },
    leave,
    async close() {
      await leave()
      await api.close()
      await close()
    }
  }
}
