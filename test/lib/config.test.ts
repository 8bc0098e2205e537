import { readFileSync } from 'node:fs'
import test from 'ava'
import { ConfigError, configHelp, loadConfig } from '../../lib/config.ts'

const example = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8')
/** Variables of the file that docker compose alone reads stand below the last heading. */
const [ofPrograms = ''] = example.split('# For docker compose alone')
const named = (text: string) => [...text.matchAll(/^([A-Z][A-Z0-9_]+)=/gm)].map(([, name = '']) => name)

const wrong: Record<string, string> = {
  PORT: '99999',
  DATABASE_URL: 'mysql://localhost/goals',
  DATABASE_SCHEMA: 'Public; drop',
  REDIS_URL: 'localhost:6379',
  REDIS_PREFIX: 'a:b',
  RABBITMQ_URL: 'on',
  EVENTS_EXCHANGE: 'x'.repeat(121),
  OPENAI_BASE_URL: 'ftp://models.example.org',
  JWT_SECRET: 'short',
  ADMIN_EMAIL: 'admin',
  ADMIN_PASSWORD: 'short',
  WORKER_QUEUES: 'chat_completion,chat',
  WORKER_CONCURRENCY: 'chat_completion=0',
  RATE_LIMITS: '{"chat":{"limitPerMinute":1}}',
  SUSPICIOUS_THRESHOLDS: '{',
  PROVIDER_LIMITS: '{"gpt-4o-mini":{"requestsPerMinute":0}}',
  JOB_ATTEMPTS: '0',
  JOB_BACKOFF_MS: '2s',
  MODEL_TIMEOUT_SECONDS: '-1',
  RECONCILE_SECONDS: '31',
  REGISTRATION: 'closed',
  DEFAULT_DAILY_BUDGET_USD: 'five',
  CORS_ORIGINS: 'https://app.example.org/',
  TRUST_PROXY: 'true',
  METRICS_TOKEN: 'short',
  LOG_LEVEL: 'loud',
  DRAIN_SECONDS: '1.5',
  EVENT_RETENTION_DAYS: '0',
  AUDIT_RETENTION_DAYS: 'for ever'
}

const problemsOf = (env: Record<string, string>): string[] => {
  try {
    loadConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

test('one message names every bad variable, and never repeats a secret', (t) => {
  const error = t.throws(() => loadConfig(wrong), { instanceOf: ConfigError })
  t.deepEqual(
    error.problems.map((problem) => problem.split(' ')[0]),
    Object.keys(loadedInOrder(wrong))
  )
  for (const problem of error.problems) t.true(error.message.includes(problem))
  for (const name of ['JWT_SECRET', 'ADMIN_PASSWORD', 'METRICS_TOKEN']) {
    t.false(error.message.includes(wrong[name] ?? ''), name)
  }
})

/** Problems come in the order in which the variables are declared, which is that of the help. */
function loadedInOrder(env: Record<string, string>): Record<string, string> {
  const order = configHelp()
    .split('\n')
    .map((line) => line.trim().split(' ')[0] ?? '')
  return Object.fromEntries(order.filter((name) => name in env).map((name) => [name, env[name] ?? '']))
}

test('help names every variable of .env.example and no other, each with its meaning', (t) => {
  const lines = configHelp().split('\n')
  const names = lines.map((line) => line.trim().split(' ')[0] ?? '')
  t.deepEqual(names.toSorted(), named(ofPrograms).toSorted())
  for (const line of lines) t.regex(line, /^ {2}[A-Z_]+ {2,}\S.*\S$/)
  for (const name of Object.keys(wrong)) t.true(names.includes(name), name)
})

test('every variable of .env.example is explained right above it', (t) => {
  const lines = example.split('\n')
  for (const name of named(ofPrograms)) {
    const at = lines.findIndex((line) => line.startsWith(`${name}=`))
    t.regex(lines[at - 1] ?? '', /^# ?\S/, name)
  }
})

test('a variable that is set but empty counts as absent', (t) => {
  t.deepEqual(loadConfig({ PORT: '', OPENAI_API_KEY: '', RABBITMQ_URL: '' }), loadConfig({}))
})

test('the first administrator may be of this machine, as the default is', (t) => {
  const { adminEmail } = loadConfig({})
  t.is(adminEmail, 'admin@localhost')
  t.is(loadConfig({ ADMIN_EMAIL: adminEmail }).adminEmail, adminEmail)
  t.is(loadConfig({ ADMIN_EMAIL: 'root@example.org' }).adminEmail, 'root@example.org')
  for (const email of ['admin', '@localhost', 'a b@example.org', 'a@b@c', 'Ada <ada@example.org>']) {
    t.deepEqual(problemsOf({ ADMIN_EMAIL: email }), ['ADMIN_EMAIL must be an e-mail address'], email)
  }
})

test('production needs its secrets chosen, and names those that are missing', (t) => {
  const secrets = { JWT_SECRET: 'j'.repeat(32), ADMIN_EMAIL: 'root@example.org', ADMIN_PASSWORD: 'p'.repeat(10) }
  t.true(loadConfig({ NODE_ENV: 'production', ...secrets }).production)
  t.deepEqual(
    problemsOf({ NODE_ENV: 'production', JWT_SECRET: secrets.JWT_SECRET }).map((problem) => problem.split(' ')[0]),
    ['ADMIN_EMAIL', 'ADMIN_PASSWORD']
  )
})

test('without a provider only the offline models can be named, with one any', (t) => {
  const models = { CHAT_MODEL: 'gpt-4o', EMBEDDING_MODEL: 'text-embedding-3-small' }
  t.is(problemsOf(models).length, 2)
  t.like(loadConfig({ ...models, OPENAI_BASE_URL: 'http://127.0.0.1:8090/v1' }), { chatModel: 'gpt-4o' })
  t.like(loadConfig({}), { chatModel: 'offline-chat-mini', embeddingModel: 'offline-embedding-small' })
  t.like(loadConfig({ OPENAI_API_KEY: 'k' }), { chatModel: 'gpt-4o-mini', embeddingModel: 'text-embedding-3-small' })
})

test('the default budget is five dollars a day at a paid provider, another amount or none, and none offline', (t) => {
  const paid = { OPENAI_API_KEY: 'k' }
  t.is(loadConfig(paid).defaultDailyPico, 5_000_000_000_000n)
  t.is(loadConfig({ OPENAI_BASE_URL: 'http://127.0.0.1:8090/v1' }).defaultDailyPico, 5_000_000_000_000n)
  t.is(loadConfig({ ...paid, DEFAULT_DAILY_BUDGET_USD: '0.25' }).defaultDailyPico, 250_000_000_000n)
  t.is(loadConfig({ ...paid, DEFAULT_DAILY_BUDGET_USD: 'off' }).defaultDailyPico, null)
  t.is(loadConfig({ DEFAULT_DAILY_BUDGET_USD: '1' }).defaultDailyPico, null)
  for (const wrong of ['-1', '1e3', '1000001', 'none']) {
    t.is(problemsOf({ ...paid, DEFAULT_DAILY_BUDGET_USD: wrong }).length, 1, wrong)
  }
})
