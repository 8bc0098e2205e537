import { readFile } from 'node:fs/promises'
import { Ajv } from 'ajv'
import test from 'ava'
import { parse } from 'yaml'
import { configHelp, loadConfig } from '../../lib/config.ts'

type Service = {
  image: string
  command?: string[]
  environment?: Record<string, string>
  ports?: string[]
  volumes?: string[]
  healthcheck?: { test: string[] }
  depends_on?: Record<string, { condition: string }>
}
type Compose = { services: Record<string, Service>; volumes: Record<string, unknown> }

const read = (name: string) => readFile(new URL(`../../${name}`, import.meta.url), 'utf8')
const compose = parse(await read('docker-compose.yml'), { merge: true }) as Compose

/** The part of the Compose specification that the file uses; anything else is a slip. */
const text = { type: 'string' }
const texts = { type: 'array', items: text, minItems: 1 }
const duration = { type: 'string', pattern: '^\\d+(ms|s|m)$' }
const service = {
  type: 'object',
  required: ['image'],
  additionalProperties: false,
  properties: {
    image: { type: 'string', pattern: '^[a-z0-9][a-z0-9./-]*(:[\\w][\\w.-]*)?$' },
    build: text,
    init: { type: 'boolean' },
    hostname: text,
    restart: { enum: ['no', 'always', 'on-failure', 'unless-stopped'] },
    stop_grace_period: duration,
    shm_size: { type: 'string', pattern: '^\\d+[kmg]b$' },
    command: texts,
    environment: { type: 'object', additionalProperties: text, propertyNames: { pattern: '^[A-Z][A-Z0-9_]*$' } },
    ports: {
      ...texts,
      items: {
        type: 'string',
        pattern: '^(\\d+\\.\\d+\\.\\d+\\.\\d+|\\$\\{\\w+:-[\\d.]+\\}):\\$\\{\\w+:-\\d+\\}:\\d+$'
      }
    },
    volumes: { ...texts, items: { type: 'string', pattern: '^[a-z]+:/\\S+$' } },
    healthcheck: {
      type: 'object',
      required: ['test', 'interval', 'timeout', 'retries'],
      additionalProperties: false,
      properties: {
        test: { type: 'array', items: [{ enum: ['CMD', 'CMD-SHELL'] }], additionalItems: text, minItems: 2 },
        interval: duration,
        timeout: duration,
        start_period: duration,
        retries: { type: 'integer', minimum: 1 }
      }
    },
    depends_on: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        required: ['condition'],
        additionalProperties: false,
        properties: { condition: { enum: ['service_healthy', 'service_completed_successfully'] } }
      }
    }
  }
}
const schema = {
  type: 'object',
  required: ['name', 'services', 'volumes'],
  additionalProperties: false,
  patternProperties: { '^x-': true },
  properties: {
    name: { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]*$' },
    services: { type: 'object', additionalProperties: service },
    volumes: { type: 'object', additionalProperties: { type: 'null' } }
  }
}

const variables = configHelp()
  .split('\n')
  .map((line) => line.trim().split(' ')[0] as string)

test('the compose file has the shape of the Compose specification', (t) => {
  const ajv = new Ajv({ allErrors: true, strictTuples: false })
  t.true(ajv.validate(schema, compose), ajv.errorsText(ajv.errors, { separator: '\n' }))
})

test('every service that stays up has a health check, and whoever waits names a service that can get there', (t) => {
  for (const [name, { healthcheck, depends_on: needs = {} }] of Object.entries(compose.services)) {
    if (name !== 'migrate') t.truthy(healthcheck, name)
    for (const [other, { condition }] of Object.entries(needs)) {
      t.truthy(compose.services[other], `${name} waits for ${other}`)
      t.is(condition, other === 'migrate' ? 'service_completed_successfully' : 'service_healthy')
    }
  }
})

test('volumes that services use are declared, and those declared are used', (t) => {
  const used = Object.values(compose.services).flatMap(({ volumes = [] }) =>
    volumes.map((each) => each.split(':')[0] ?? '')
  )
  t.deepEqual(used.toSorted(), Object.keys(compose.volumes).toSorted())
})

test('services are published on loopback only', (t) => {
  for (const name of ['postgres', 'redis', 'rabbitmq']) {
    for (const port of compose.services[name]?.ports ?? []) t.regex(port, /^127\.0\.0\.1:/)
  }
})

test('API, workers and migration are given every variable that the configuration knows', (t) => {
  for (const name of ['api', 'workers', 'migrate']) {
    t.deepEqual(Object.keys(compose.services[name]?.environment ?? {}).toSorted(), variables.toSorted(), name)
  }
})

test('files that containers run exist', async (t) => {
  for (const { command = [] } of Object.values(compose.services)) {
    const file = command[0] === 'node' ? command[1] : undefined
    if (file) await t.notThrowsAsync(read(file), file)
  }
})

test('what the container is given is a configuration that loads', (t) => {
  const given = { JWT_SECRET: 'j'.repeat(32), ADMIN_EMAIL: 'admin@example.com', ADMIN_PASSWORD: 'p'.repeat(10) }
  const environment = compose.services.api?.environment ?? {}
  const filled = Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, interpolate(value, given)])
  )
  const config = loadConfig(filled)
  t.is(config.databaseUrl, 'postgres://goals:goals@postgres:5432/goals')
  t.is(config.redisUrl, 'redis://:goals@redis:6379/0')
  t.is(config.rabbitmqUrl, 'amqp://goals:goals@rabbitmq:5672')
  t.is(config.host, '0.0.0.0')
})

test('.env.example names every variable once, and its values are the defaults', async (t) => {
  const lines = (await read('.env.example')).split('\n').filter((line) => line && !line.startsWith('#'))
  const entries = lines.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string])
  const names = entries.map(([name]) => name)
  t.deepEqual(names, [...new Set(names)])
  t.deepEqual(
    variables.filter((name) => !names.includes(name)),
    []
  )
  t.deepEqual(loadConfig(Object.fromEntries(entries)), loadConfig({}))

  const file = await read('docker-compose.yml')
  for (const name of names.filter((each) => !['NODE_ENV', 'HOST', 'DATA_DIR'].includes(each))) {
    t.true(file.includes(`\${${name}:`), `${name} is used in docker-compose.yml`)
  }
})

/** `${NAME:-default}` and `${NAME:?message}`, innermost first, as Compose reads them. */
function interpolate(value: string, env: Record<string, string>): string {
  const next = value.replace(/\$\{(\w+):([-?])([^${}]*)\}/, (_, name: string, kind: string, rest: string) => {
    return env[name] ?? (kind === '-' ? rest : '')
  })
  return next === value ? value : interpolate(next, env)
}
