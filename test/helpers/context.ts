import type { TestFn } from 'ava'
import { loadConfig } from '../../lib/config.ts'
import { type Context, openContext, type ProcessConfig } from '../../lib/context.ts'
import { newId } from '../../lib/ids.ts'
import { createLogger } from '../../lib/logger.ts'
import { createIsolation, type Isolation } from './services.ts'

export type TestContext = Context & { isolation: Isolation }

/** A configuration whose names nobody else uses; `env` adds to it. */
export function testConfig(isolation: Isolation, env: Record<string, string> = {}): ProcessConfig {
  return loadConfig({
    DATABASE_URL: isolation.databaseUrl,
    DATABASE_SCHEMA: isolation.schema,
    REDIS_URL: isolation.redisUrl,
    REDIS_PREFIX: isolation.prefix,
    RABBITMQ_URL: isolation.rabbitmqUrl,
    EVENTS_EXCHANGE: isolation.exchange,
    JWT_SECRET: 'a secret of the tests, 32 bytes and more',
    JOB_BACKOFF_MS: '20',
    LOG_LEVEL: 'silent',
    ...env
  }) as ProcessConfig
}

type Env = Record<string, string>

/**
 * Opens one context for all tests of a file and closes and removes it after them.
 * @param env adds to the configuration; a function may prepare it, and name what is closed before the rest is removed
 * @returns a function that gives the context, to be called inside tests
 */
export function contextForFile(
  test: TestFn,
  env: Env | ((isolation: Isolation, onClose: (close: () => Promise<unknown>) => void) => Promise<Env>) = {}
): () => TestContext {
  let context: TestContext | undefined
  let end: (() => Promise<void>) | undefined
  test.before(async () => {
    const isolation = await createIsolation()
    const closers: (() => Promise<unknown>)[] = []
    const own = typeof env === 'function' ? await env(isolation, (close) => closers.push(close)) : env
    const config = testConfig(isolation, own)
    const log = createLogger({ level: config.logLevel, name: 'test' })
    const opened = openContext({ config, name: 'test', log })
    context = { ...opened.context, isolation }
    end = async () => {
      await opened.close()
      for (const close of closers) await close()
      await isolation.remove()
    }
  })
  test.after.always(async () => {
    await end?.()
  })
  return () => {
    if (!context) throw new Error('the context is opened before the first test')
    return context
  }
}

/** Inserts a person without going through registration. Returns the id. */
export async function newUser({ knex }: Pick<Context, 'knex'>, role: 'user' | 'admin' = 'user'): Promise<string> {
  const id = newId()
  await knex('users').insert({ id, email: `${id}@example.test`, password_hash: 'none', name: 'Test person', role })
  return id
}

/** Waits until `probe` gives something, looking every few milliseconds; fails after `timeoutMs`. */
export async function eventually<T>(probe: () => Promise<T | undefined | false>, timeoutMs = 60_000): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const value = await probe()
    if (value !== undefined && value !== false) return value
    if (Date.now() > deadline) throw new Error(`the condition was not met within ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
