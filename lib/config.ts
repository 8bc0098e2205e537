import { isIP } from 'node:net'
import { resolve } from 'node:path'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { rateLimitsSchema } from './gate/limits.ts'
import { type AiAction, aiActions } from './actions/actions.ts'
import { houseMessage } from './schemas/messages.ts'
import { thresholdsSchema } from './schemas/suspicious.ts'
import { didYouMean } from './text/spelling.ts'
import { type PicoUsd, parseUsd } from './money.ts'

/**
 * The only reader of environment variables. Each variable has one entry below: its meaning for `--help`
 * and its schema. All problems are reported together, and an unknown value never becomes a default.
 */

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`))

const url = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol.slice(0, -1)), {
    error: `must be a URL that begins with ${protocols.map((name) => `${name}://`).join(' or ')}`
  })

const json = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown
      } catch {
        context.addIssue({ code: 'custom', message: 'must be JSON' })
        return z.NEVER
      }
    })
    .pipe(schema)

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)
)

const concurrencyPairs = list.transform((pairs, context) => {
  const result: Partial<Record<AiAction, number>> = {}
  for (const pair of pairs) {
    const [name, count] = pair.split('=')
    const action = aiActions.find((known) => known === name)
    const n = Number(count)
    if (!action || !Number.isInteger(n) || n < 1 || n > 1000) {
      context.addIssue({ code: 'custom', message: `"${pair}" is not action=n (actions: ${aiActions.join(', ')})` })
    } else result[action] = n
  }
  return result
})

/** What browsers send in `Origin`, exactly: a trailing slash or a path would never match. */
const origins = list.pipe(
  z.array(
    z.string().refine((text) => text === '*' || (URL.canParse(text) && new URL(text).origin === text), {
      error: 'must be origins like https://app.example.org, or *'
    })
  )
)

const hostName = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*$/i

/** `host` or `host:port`, as they stand in a URL; an IPv6 address with a port is in brackets. */
function isHost(text: string): boolean {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? []
  if (port !== undefined && Number(port) > 65_535) return false
  if (bracketed !== undefined) return isIP(bracketed) === 6
  return isIP(text) === 6 || (plain !== undefined && (isIP(plain) === 4 || hostName.test(plain)))
}

/** Hosts without anything else of a URL. */
const hosts = list.pipe(
  z.array(
    z.string().refine(isHost, {
      error: ({ input }) =>
        `"${String(input)}" is not a host like receiver.internal or 10.0.0.7:9000, without scheme and path`
    })
  )
)

/** More hops than any installation has: each one beyond those there are is a client that says who it is. */
const mostProxies = 10

/**
 * Whether a range holds so many addresses that a stranger may be among them: more than 10.0.0.0/8 has, or of IPv6 more
 * than the largest allocation of one network (a /16), but for the private ranges. IPv4 may be written as IPv6.
 */
function isWide(text: string, bits: number): boolean {
  const address = ipaddr.parse(text)
  if (address.kind() === 'ipv4') return bits < 8
  if ((address as ipaddr.IPv6).isIPv4MappedAddress()) return bits < 96 + 8
  return bits < (['uniqueLocal', 'linkLocal'].includes(address.range()) ? 7 : 16)
}

const trustProxy = z.string().transform((text, context): boolean | number | string[] => {
  if (/^(off|false|0)$/i.test(text)) return false
  if (/^\d+$/.test(text)) {
    if (Number(text) <= mostProxies) return Number(text)
    context.addIssue({
      code: 'custom',
      message: `at most ${mostProxies} proxies: more hops than there are trusts anyone`
    })
    return z.NEVER
  }
  if (/^(on|true)$/i.test(text)) {
    context.addIssue({ code: 'custom', message: 'name the number of proxies or their addresses; "true" trusts anyone' })
    return z.NEVER
  }
  const proxies = text.split(',').map((item) => item.trim())
  for (const proxy of proxies) {
    const [address = '', bits, ...more] = proxy.split('/')
    const longest = { 4: 32, 6: 128 }[isIP(address)] ?? 0
    const isRange = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= longest)
    if (/^(loopback|linklocal|uniquelocal)$/.test(proxy)) continue
    if (longest > 0 && isRange && more.length === 0) {
      if (!isWide(address, Number(bits ?? longest))) continue
      context.addIssue({ code: 'custom', message: `"${proxy}" trusts anyone: name the proxies, or a narrower range` })
      continue
    }
    context.addIssue({ code: 'custom', message: `"${proxy}" is not an address, a range like 10.0.0.0/8, or loopback` })
  }
  return proxies
})

/** `null` for no budget. */
const dailyBudget = z.string().transform((text, context): PicoUsd | null => {
  if (/^off$/i.test(text)) return null
  try {
    const pico = parseUsd(text)
    if (pico <= parseUsd(1_000_000)) return pico
  } catch {
    // said below
  }
  context.addIssue({ code: 'custom', message: 'must be an amount of USD from 0 to 1000000, like 5.00, or "off"' })
  return z.NEVER
})

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const variables = {
  NODE_ENV: [z.string().optional(), 'production makes JWT_SECRET, ADMIN_EMAIL and ADMIN_PASSWORD obligatory', ''],
  HOST: [z.string().min(1).default('127.0.0.1'), 'address the API listens on', '127.0.0.1'],
  PORT: [integer(0, 65_535).default(8000), 'port the API listens on', '8000'],
  DATABASE_URL: [
    url('postgres', 'postgresql').optional(),
    'PostgreSQL 15 or newer with pgvector',
    'a private instance'
  ],
  DATABASE_SCHEMA: [
    z
      .string()
      .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'must be a plain lower-case identifier')
      .default('public'),
    'schema that holds the tables',
    'public'
  ],
  REDIS_URL: [url('redis', 'rediss').optional(), 'Redis 6.2 or newer, or Valkey', 'a private instance'],
  REDIS_PREFIX: [
    z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be letters, digits, dots, dashes or underscores')
      .default('goals'),
    'first part of every key',
    'goals'
  ],
  RABBITMQ_URL: [
    z.union([z.literal('off'), url('amqp', 'amqps')]).optional(),
    'RabbitMQ 3.10 or newer; "off" runs without a broker',
    'a private instance'
  ],
  EVENTS_EXCHANGE: [
    z.string().min(1).max(120).default('goals.events'),
    'exchange that news is published to; what nobody asked for goes to goals.unrouted',
    'goals.events'
  ],
  OPENAI_API_KEY: [z.string().min(1).optional(), 'key of the model provider', 'the offline provider answers'],
  OPENAI_BASE_URL: [url('http', 'https').optional(), 'any OpenAI-compatible server', 'the offline provider answers'],
  CHAT_MODEL: [z.string().min(1).optional(), 'name of the chat model', 'gpt-4o-mini, or offline-chat-mini offline'],
  EMBEDDING_MODEL: [
    z.string().min(1).optional(),
    'name of an embedding model with 1536 dimensions',
    'text-embedding-3-small, or offline-embedding-small offline'
  ],
  JWT_SECRET: [
    z
      .string()
      .refine((text) => Buffer.byteLength(text) >= 32, 'must have at least 32 bytes')
      .optional(),
    'HS256 key of at least 32 bytes',
    'random, kept in DATA_DIR'
  ],
  ADMIN_EMAIL: [
    // what browsers take for one, which allows for a host without dots
    z.email({ pattern: z.regexes.html5Email, error: 'must be an e-mail address' }).max(254).optional(),
    'e-mail of the first administrator',
    'admin@localhost'
  ],
  ADMIN_PASSWORD: [
    z.string().min(10, 'must have at least 10 characters').max(200, 'must have at most 200 characters').optional(),
    'password of the first administrator, 10 to 200 characters',
    'random'
  ],
  DATA_DIR: [z.string().min(1).default('.data'), 'folder for private services, keys and logs', '.data'],
  WORKER_QUEUES: [
    list.pipe(z.array(z.enum(aiActions, { error: `must be of: ${aiActions.join(', ')}` }))).optional(),
    'actions whose pools this worker process runs, separated by commas',
    'all'
  ],
  WORKER_CONCURRENCY: [concurrencyPairs.optional(), 'jobs at once for each pool, as action=n pairs', 'by action'],
  RATE_LIMITS: [
    json(rateLimitsSchema).optional(),
    'JSON that replaces limits: { "chat_completion": { "limitPerMinute": 10, "burst": 1 } }',
    ''
  ],
  SUSPICIOUS_THRESHOLDS: [
    json(thresholdsSchema).default(thresholdsSchema.parse({})),
    'JSON that replaces thresholds of the suspicious-activity rules by their code',
    ''
  ],
  PROVIDER_LIMITS: [
    json(
      z.record(
        z.string(),
        z.strictObject({
          requestsPerMinute: z.number().int().positive().optional(),
          tokensPerMinute: z.number().int().positive().optional()
        })
      )
    ).optional(),
    'JSON of the provider\'s own limits for a model: { "gpt-4o-mini": { "requestsPerMinute": 500 } }',
    ''
  ],
  JOB_ATTEMPTS: [integer(1, 20).default(5), 'attempts of a job before it fails', '5'],
  JOB_BACKOFF_MS: [integer(10, 3_600_000).default(2000), 'wait before the second attempt; doubles each time', '2000'],
  JOB_WAIT_MINUTES: [
    integer(1, 1440).default(120),
    'how long a job waits in all, as the provider asks, before waiting uses up attempts',
    '120'
  ],
  MODEL_TIMEOUT_SECONDS: [integer(1, 3600).default(120), 'longest time one provider request may take', '120'],
  RECONCILE_SECONDS: [integer(1, 30).default(5), 'how often open jobs are compared with the queues', '5'],
  REGISTRATION: [
    z.enum(['open', 'invite', 'off'], { error: 'must be open, invite or off' }).default('open'),
    'who may register: everybody, who has a code from POST /users/invitations, or nobody (open, invite, off)',
    'open'
  ],
  DEFAULT_DAILY_BUDGET_USD: [
    dailyBudget.default(parseUsd(5)),
    'with a paid provider, what a user without a budget of their own may spend in a UTC day; "off": no limit',
    '5.00'
  ],
  WEBHOOK_ALLOW: [hosts.optional(), 'hosts a webhook may reach although their address is private', ''],
  CORS_ORIGINS: [origins.optional(), 'origins that browsers may call from, separated by commas', 'none'],
  CONNECTIONS_PER_ADDRESS: [
    integer(1, 100_000).default(200),
    'sockets and event streams that one address may have open, over all processes',
    '200'
  ],
  TRUST_PROXY: [trustProxy.default(false), 'number of proxies in front, or their addresses', 'off'],
  METRICS_TOKEN: [
    z.string().min(16).optional(),
    'bearer token for /metrics from elsewhere than loopback',
    'loopback only'
  ],
  LOG_LEVEL: [
    z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }).default('info'),
    'least level logged',
    'info'
  ],
  DRAIN_SECONDS: [integer(1, 3600).default(20), 'time for jobs in flight at shutdown', '20'],
  KEEP_ALIVE_SECONDS: [
    integer(1, 600).default(5),
    'how long idle connections stay open; more than a balancer in front keeps its own',
    '5'
  ],
  EVENT_RETENTION_DAYS: [integer(1, 3650).default(30), 'how long the event log is kept', '30'],
  AUDIT_RETENTION_DAYS: [integer(1, 3650).default(90), 'how long audits are kept', '90']
} as const satisfies Record<string, readonly [z.ZodType, string, string]>

type Variables = { [K in keyof typeof variables]: z.output<(typeof variables)[K][0]> }

/** Everything that can be configured, checked. URLs may be absent only until the launcher has started private services. */
export type Config = ReturnType<typeof toConfig>

/** Names every bad variable in one message, one line each. */
export class ConfigError extends Error {
  readonly problems: string[]
  constructor(problems: string[]) {
    super(`The configuration is not usable:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/**
 * Reads and checks the configuration. An empty variable counts as absent, as in a filled-in `.env.example`.
 * @throws ConfigError that names every bad variable
 */
export function loadConfig(env: Record<string, string | undefined>): Config {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, [schema]] of Object.entries(variables)) {
    const result = schema.safeParse(env[name] === '' ? undefined : env[name], { error: houseMessage })
    if (result.success) values[name] = result.data
    else problems.push(...result.error.issues.map((issue) => [name, ...keysOf(issue), issue.message].join(' ')))
  }
  const parsed = values as Variables
  if (env.NODE_ENV === 'production') {
    for (const name of ['JWT_SECRET', 'ADMIN_EMAIL', 'ADMIN_PASSWORD'] as const) {
      if (!env[name]) problems.push(`${name} is required when NODE_ENV=production`)
    }
  }
  const offline = !env.OPENAI_API_KEY && !env.OPENAI_BASE_URL
  for (const name of ['CHAT_MODEL', 'EMBEDDING_MODEL'] as const) {
    if (offline && env[name] && !env[name].startsWith('offline-')) {
      problems.push(`${name} names a model of a provider, but neither OPENAI_API_KEY nor OPENAI_BASE_URL is set`)
    }
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return toConfig(parsed, offline)
}

/** The key in a JSON variable that an issue is about; a number only says which item of a list. */
const keysOf = ({ path }: { path: PropertyKey[] }) => path.filter((key) => typeof key === 'string')

function toConfig(v: Variables, offline: boolean) {
  return {
    production: v.NODE_ENV === 'production',
    host: v.HOST,
    port: v.PORT,
    databaseUrl: v.DATABASE_URL,
    databaseSchema: v.DATABASE_SCHEMA,
    redisUrl: v.REDIS_URL,
    redisPrefix: v.REDIS_PREFIX,
    rabbitmqUrl: v.RABBITMQ_URL,
    eventsExchange: v.EVENTS_EXCHANGE,
    openai: { offline, apiKey: v.OPENAI_API_KEY, baseUrl: v.OPENAI_BASE_URL },
    chatModel: v.CHAT_MODEL ?? (offline ? 'offline-chat-mini' : 'gpt-4o-mini'),
    embeddingModel: v.EMBEDDING_MODEL ?? (offline ? 'offline-embedding-small' : 'text-embedding-3-small'),
    jwtSecret: v.JWT_SECRET,
    adminEmail: v.ADMIN_EMAIL ?? 'admin@localhost',
    adminPassword: v.ADMIN_PASSWORD,
    dataDir: resolve(v.DATA_DIR),
    workerQueues: v.WORKER_QUEUES ?? [...aiActions],
    workerConcurrency: v.WORKER_CONCURRENCY ?? {},
    rateLimits: v.RATE_LIMITS ?? {},
    suspiciousThresholds: v.SUSPICIOUS_THRESHOLDS,
    providerLimits: v.PROVIDER_LIMITS ?? {},
    jobAttempts: v.JOB_ATTEMPTS,
    jobBackoffMs: v.JOB_BACKOFF_MS,
    jobWaitMs: v.JOB_WAIT_MINUTES * 60_000,
    modelTimeoutMs: v.MODEL_TIMEOUT_SECONDS * 1000,
    reconcileMs: v.RECONCILE_SECONDS * 1000,
    registration: v.REGISTRATION,
    /** what the default budget is as long as no administrator has set one; the offline provider costs nobody anything */
    defaultDailyPico: offline ? null : v.DEFAULT_DAILY_BUDGET_USD,
    webhookAllow: v.WEBHOOK_ALLOW ?? [],
    corsOrigins: v.CORS_ORIGINS ?? [],
    trustProxy: v.TRUST_PROXY,
    connectionsPerAddress: v.CONNECTIONS_PER_ADDRESS,
    metricsToken: v.METRICS_TOKEN,
    logLevel: v.LOG_LEVEL,
    drainMs: v.DRAIN_SECONDS * 1000,
    keepAliveMs: v.KEEP_ALIVE_SECONDS * 1000,
    eventRetentionDays: v.EVENT_RETENTION_DAYS,
    auditRetentionDays: v.AUDIT_RETENTION_DAYS
  }
}

/** Variables of the commands beside the platform, and of what it is built on. */
const others = /^(?:API_URL|API_KEY|NODE_.*|OTEL_.*|UV_.*|TZ|LANG|LC_.*|PATH|SCARF_ANALYTICS|npm_.*)$/

/** What to say of names in a `.env` file that no part of the platform reads: most are misspelt. One line each. */
export function unknownVariables(names: readonly string[]): string[] {
  const known = Object.keys(variables)
  return names
    .filter((name) => !known.includes(name) && !others.test(name))
    .map((name) => {
      const near = didYouMean(name, known)
      return `${name} is not a variable of the platform${near ? `: did you mean ${near}?` : ''}`
    })
}

/** One line for each variable: name, meaning and default, for `--help`. */
export function configHelp(): string {
  const width = Math.max(...Object.keys(variables).map((name) => name.length))
  return Object.entries(variables)
    .map(([name, [, meaning, fallback]]) => `  ${name.padEnd(width)}  ${meaning}${fallback ? ` (${fallback})` : ''}`)
    .join('\n')
}
