import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { TestFn } from 'ava'
import { startApi } from '../../api/start-api.ts'
import { newApiKey } from '../../lib/auth/api-key.ts'
import { openContext } from '../../lib/context.ts'
import { createLogger } from '../../lib/logger.ts'
import { createApiKeyStore } from '../../lib/store/api-keys.ts'
import { migrateLatest } from '../../lib/store/knex.ts'
import { newUser, type TestContext, testConfig } from './context.ts'
import { type Call, caller } from './platform.ts'
import { createIsolation, type Isolation } from './services.ts'

export type RunningApi = {
  context: TestContext
  url: string
  /** somebody new with an API key, that sends requests below `/api/v1` */
  newClient(role?: 'user' | 'admin'): Promise<{ id: string; key: string; send: Call }>
}

/**
 * An API process as it runs, without workers, on a schema of the file's own; opened before the first test and closed
 * after the last.
 * @returns `api`: to be called inside tests; `another`: opens one more on the same services
 */
export function runningApiForFile(test: TestFn, env: Record<string, string> = {}) {
  let isolation: Isolation | undefined
  const running: Awaited<ReturnType<typeof openApi>>[] = []
  const another = async (): Promise<RunningApi> => {
    const opened = await openApi(isolation as Isolation, env)
    running.push(opened)
    return opened
  }
  test.before(async () => {
    isolation = await createIsolation()
    await migrateLatest({ databaseUrl: isolation.databaseUrl, databaseSchema: isolation.schema })
    await another()
  })
  test.after.always(async () => {
    for (const opened of running.toReversed()) await opened.close()
    await isolation?.remove()
  })
  return {
    another,
    api: (): RunningApi => {
      if (!running[0]) throw new Error('the API is opened before the first test')
      return running[0]
    }
  }
}

async function openApi(isolation: Isolation, env: Record<string, string>) {
  const log = createLogger({ level: 'silent', name: 'test' })
  const { context, close } = openContext({ config: testConfig(isolation, env), name: 'test', log })
  const { server, ...api } = await startApi({ context, version: '0.0.0-test' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { knex } = context
  return {
    context: { ...context, isolation },
    url,
    async newClient(role: 'user' | 'admin' = 'user') {
      const id = await newUser(context, role)
      const { key, hash, hint } = newApiKey()
      await createApiKeyStore(knex).insert(knex, { userId: id, name: 'test', hash, hint, expiresAt: null })
      return { id, key, send: caller(url, key) }
    },
    async close() {
      await api.goAway()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      await api.close()
      await close()
    }
  }
}
