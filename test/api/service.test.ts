import { createServer } from 'node:net'
import test from 'ava'
import { createHealth, type Probe } from '../../api/health/health.ts'
import { createProbes } from '../../api/health/probes.ts'
import { backgroundResult, relayResult } from '../../api/health/work-probe.ts'
import { endpoint } from '../../api/endpoint.ts'
import { createKnex } from '../../lib/store/knex.ts'
import { startApi } from '../helpers/api.ts'
import { placeForFile } from '../helpers/auth.ts'
import { eventually } from '../helpers/context.ts'

const place = placeForFile(test)
type Options = Parameters<typeof startApi>[1]
const start = (t: Parameters<typeof startApi>[0], options: Options = {}) => startApi(t, { place: place(), ...options })

const well: Probe = async () => ({ state: 'ok' })
const broken: Probe = async () => {
  throw new Error('connect ECONNREFUSED with a password in it')
}

test('the root tells name, version and links that work', async (t) => {
  const { send } = await start(t)
  const { status, body } = await send('GET', '/')
  t.is(status, 200)
  t.like(body, { name: 'ai-goals-tracker', version: '0.0.0-test' })
  for (const link of ['docs', 'openapi', 'health', 'metrics']) {
    t.true([200, 503].includes((await send('GET', body.links[link])).status), link)
  }
})

test('health shows each component with its state and latency', async (t) => {
  const { send, knex } = await start(t)
  await knex('workers').insert({
    id: 'one',
    queues: ['chat_completion', 'rag_search'],
    // for as long as the test takes
    seen_at: knex.raw(`now() + interval '1 hour'`)
  })
  // On a busy machine a probe may take longer than it may.
  const { status, body } = await eventually(async () => {
    const answer = await send('GET', '/health')
    return answer.body.status === 'ok' && answer
  })
  t.is(status, 200)
  t.deepEqual(Object.keys(body.components).sort(), [
    'background',
    'models',
    'postgres',
    'queues',
    'rabbitmq',
    'redis',
    'relay',
    'workers'
  ])
  t.deepEqual(body.components.models.models, { 'offline-chat-mini': { state: 'closed', retryAfterMs: 0 } })
  for (const { state, latencyMs } of Object.values<{ state: string; latencyMs: number }>(body.components)) {
    t.is(state, 'ok')
    t.true(latencyMs >= 0)
  }
  t.is(body.components.workers.count, 1)
  t.like(body.components.queues.jobs, { chat_completion: { waiting: 0, active: 0 } })
})

test('health is degraded with 200 while anything but PostgreSQL is away, and down with 503 when that is', async (t) => {
  const degraded = await start(t, { probes: { postgres: well, redis: broken } })
  const answer = await degraded.send('GET', '/health')
  t.is(answer.status, 200)
  t.like(answer.body, { status: 'degraded', components: { postgres: { state: 'ok' }, redis: { state: 'down' } } })
  t.notRegex(answer.text, /password|ECONN/)
  t.is((await degraded.send('GET', '/health/ready')).status, 200)

  const down = await start(t, { probes: { postgres: broken, redis: well } })
  const bad = await down.send('GET', '/health')
  t.is(bad.status, 503)
  t.like(bad.body, { status: 'down' })
  t.truthy(bad.headers.get('retry-after'))
  t.is((await down.send('GET', '/health/ready')).status, 503)
  t.is((await down.send('GET', '/health/live')).status, 200)
})

test('a component that is switched off does no harm', async (t) => {
  const { send } = await start(t, { probes: { postgres: well, rabbitmq: async () => ({ state: 'off' }) } })
  t.is((await send('GET', '/health')).body.status, 'ok')
})

test('probes are asked once a second however often health is', async (t) => {
  let asked = 0
  const probe: Probe = async () => {
    asked++
    return { state: 'ok' }
  }
  const health = createHealth({ probes: { postgres: probe }, vital: 'postgres' })
  await Promise.all(Array.from({ length: 50 }, () => health.check()))
  await health.check()
  t.is(asked, 1)
})

test('a probe that never answers is down, and the rest is told', async (t) => {
  const silent: Probe = () => new Promise(() => {})
  const { components, status } = await createHealth({
    probes: { postgres: well, redis: silent },
    vital: 'postgres'
  }).check()
  t.is(status, 'degraded')
  t.like(components, { postgres: { state: 'ok' }, redis: { state: 'down' } })
})

test('the probes tell real services that are away, and a broker that comes back', async (t) => {
  const { queues, redis, place: own } = await start(t)
  const nowhere = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => nowhere.once('listening', resolve))
  const { port } = nowhere.address() as { port: number }
  await new Promise((resolve) => nowhere.close(resolve))
  const knex = createKnex({ databaseUrl: `postgres://nobody@127.0.0.1:${port}/none`, schema: 'public' })
  t.teardown(async () => await knex.destroy())
  const liveWorkers = async () => []
  const modelStates = async () => ({})
  const relayLag = async () => ({ unplaced: 0, unplacedSeconds: 0, sinks: [] })
  const failingWork = async () => []
  const countDeadLetters = async () => ({})
  const needs = {
    knex,
    redis,
    prefix: own.prefix,
    queues,
    liveWorkers,
    modelStates,
    relayLag,
    failingWork,
    countDeadLetters
  }
  const away = createProbes({ ...needs, rabbitmqUrl: `amqp://127.0.0.1:${port}` })
  const report = await eventually(async () => {
    const found = await createHealth({ probes: away.probes, vital: 'postgres' }).check()
    return found.components.redis?.state === 'ok' && found
  })
  t.is(report.status, 'down')
  t.like(report.components, { postgres: { state: 'down' }, rabbitmq: { state: 'down' }, redis: { state: 'ok' } })

  const there = createProbes({ ...needs, rabbitmqUrl: own.rabbitmqUrl })
  t.deepEqual(await there.probes.rabbitmq(), { state: 'ok' })
  await there.close()
  t.deepEqual(await there.probes.rabbitmq(), { state: 'ok' })
  await Promise.all([there.close(), away.close()])
})

test('health and metrics name the sinks that fail or are late, and why', async (t) => {
  const lag = {
    unplaced: 0,
    unplacedSeconds: 0,
    sinks: [
      { sink: 'redis', behind: 0, seconds: 0 },
      { sink: 'webhooks', behind: 40, seconds: 16 },
      {
        sink: 'rabbitmq',
        behind: 7,
        seconds: 0.4,
        failing: { since: '2026-01-01T00:00:00.000Z', code: 'broker_rejected', message: 'a queue refused it' }
      }
    ]
  }
  const relay = relayResult(lag)
  t.deepEqual(relay, {
    state: 'degraded',
    late: ['webhooks', 'rabbitmq'],
    unplaced: 0,
    sinks: {
      redis: { behind: 0, seconds: 0 },
      webhooks: { behind: 40, seconds: 16 },
      rabbitmq: { behind: 7, seconds: 0.4, failing: lag.sinks[2]?.failing }
    }
  })
  t.like(relayResult({ unplaced: 3, unplacedSeconds: 20, sinks: [] }), { state: 'degraded', late: ['placing'] })
  t.is(relayResult({ unplaced: 3, unplacedSeconds: 1, sinks: [] }).state, 'ok')

  const failing = [{ work: 'roll_ups', since: '2026-01-01T00:00:00.000Z', code: 'unexpected', message: 'an error' }]
  t.deepEqual(backgroundResult(failing, { audits: 2 }), { state: 'degraded', failing, deadLetters: { audits: 2 } })
  t.deepEqual(backgroundResult([], { audits: 2 }), { state: 'ok', deadLetters: { audits: 2 } })

  const { send } = await start(t, {
    needs: () => ({
      relayLag: async () => lag,
      failingWork: async () => failing,
      countDeadLetters: async () => ({ audits: 2 })
    })
  })
  const { text } = await send('GET', '/metrics')
  t.regex(text, /^goals_relay_lag_events\{sink="webhooks"\} 40$/m)
  t.regex(text, /^goals_relay_lag_seconds\{sink="rabbitmq"\} 0\.4$/m)
  t.regex(text, /^goals_relay_lag_events\{sink="placing"\} 0$/m)
  t.regex(text, /^goals_relay_failing\{sink="rabbitmq",code="broker_rejected"\} 1$/m)
  t.regex(text, /^goals_background_work_failing\{work="roll_ups",code="unexpected"\} 1$/m)
  t.regex(text, /^goals_dead_letters\{kind="audits"\} 2$/m)
})

test('metrics count requests by route pattern and jobs by queue', async (t) => {
  const { send, enter } = await start(t)
  const { token, id } = await enter()
  await send('GET', `/api/v1/users/${id}`, { token })
  await send('GET', `/api/v1/made/up/${id}`, { token })
  const { status, text, headers } = await send('GET', '/metrics')
  t.is(status, 200)
  t.regex(headers.get('content-type') ?? '', /^text\/plain/)
  t.regex(text, /http_request_duration_seconds_count\{method="GET",route="\/api\/v1\/users\/:id",status="200"\} 1/)
  t.regex(text, /http_request_duration_seconds_count\{method="GET",route="none",status="404"\} 1/)
  t.regex(text, /queue_jobs\{queue="chat_completion",state="waiting"\} 0/)
  t.regex(text, /process_resident_memory_bytes \d+/)
  t.false(text.includes(id))
})

test('metrics are for this machine, or for who has the token', async (t) => {
  const elsewhere = { headers: { 'x-forwarded-for': '203.0.113.9' } }
  const bare = await start(t)
  t.is((await bare.send('GET', '/metrics')).status, 200)
  // Behind a proxy that is not configured everybody seems to be this machine.
  t.is((await bare.send('GET', '/metrics', elsewhere)).status, 403)

  const token = 'a token for the metrics'
  const { send } = await start(t, { env: { TRUST_PROXY: '1', METRICS_TOKEN: token } })
  t.is((await send('GET', '/metrics', elsewhere)).status, 401)
  t.is(
    (await send('GET', '/metrics', { ...elsewhere, headers: { ...elsewhere.headers, authorization: 'Bearer nope' } }))
      .status,
    401
  )
  const headers = { ...elsewhere.headers, authorization: `Bearer ${token.replaceAll(' ', '_')}` }
  const named = await start(t, { env: { TRUST_PROXY: '1', METRICS_TOKEN: token.replaceAll(' ', '_') } })
  t.is((await named.send('GET', '/metrics', { headers })).status, 200)
})

test('routes at the root are limited by address, whether a process lives is not', async (t) => {
  const { send } = await start(t, { limits: { address: { limitPerMinute: 1, burst: 2 } } })
  t.is((await send('GET', '/')).status, 200)
  const last = await send('GET', '/openapi.json')
  t.is(last.headers.get('x-ratelimit-remaining'), '0')
  for (const path of ['/', '/health', '/metrics', '/docs/', '/nothing']) {
    const refused = await send('GET', path)
    t.is(refused.status, 429, path)
    t.deepEqual(refused.body['violated-policies'], ['address'])
    t.truthy(refused.headers.get('retry-after'))
  }
  t.is((await send('GET', '/health/live')).status, 200)
})

test('only GET and HEAD are known at the root', async (t) => {
  const { send } = await start(t, { probes: { postgres: well } })
  for (const path of ['/', '/health', '/metrics', '/docs', '/openapi.json']) {
    const answer = await send('POST', path, { body: {} })
    t.is(answer.status, 405, path)
    t.is(answer.headers.get('allow'), 'GET, HEAD')
  }
  t.is((await send('HEAD', '/health')).status, 200)
})

test('the documentation is at its address, with a slash or without', async (t) => {
  const { send } = await start(t)
  for (const path of ['/docs', '/docs/']) {
    const page = await send('GET', path, { redirect: 'manual' })
    t.is(page.status, 200, path)
    const parts = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part = '']) => part)
    t.true(parts.length > 3)
    for (const part of parts) t.is((await send('GET', part)).status, 200, part)
  }
})

test('while PostgreSQL is away requests with a token get 503 with Retry-After and no inner message', async (t) => {
  const lines: string[] = []
  const api = await start(t, {
    onLog: (line) => lines.push(line),
    needs: ({ auth }) => ({ auth: { ...auth, authenticator: { ...auth.authenticator, authenticate: away } } })
  })
  const knex = createKnex({ databaseUrl: 'postgres://nobody:secret@127.0.0.1:1/none', schema: 'public' })
  t.teardown(async () => await knex.destroy())
  async function away(): Promise<never> {
    await knex.raw('select 1')
    throw new Error('there is no such database')
  }
  const answer = await api.send('GET', '/api/v1/users/me', { token: 'any' })
  t.is(answer.status, 503)
  t.like(answer.body, { code: 'unavailable', status: 503 })
  t.truthy(answer.headers.get('retry-after'))
  t.truthy(answer.headers.get('ratelimit'))
  t.notRegex(answer.text, /ECONN|select|127\.0\.0\.1|secret/)
  t.notRegex(lines.join(''), /secret/)
})

test('a connection lost inside a handler is a 503, a lost race a 409, data that cannot be stored a 422', async (t) => {
  const failing = (path: string, run: () => Promise<unknown>) =>
    endpoint({
      method: 'get',
      path,
      summary: 'Fails',
      tag: 'Test',
      access: 'user',
      responses: {},
      async handler() {
        await run()
        return { status: 204 }
      }
    })
  const { databaseUrl } = place()
  const knex = createKnex({ databaseUrl, schema: place().schema })
  t.teardown(async () => await knex.destroy())
  const { send, enter } = await start(t, {
    endpoints: [
      failing('/lost', () => knex.raw('select pg_terminate_backend(pg_backend_pid())')),
      failing('/race', () =>
        knex('sessions').insert({
          id: knex.raw('gen_random_uuid()'),
          user_id: knex.raw('gen_random_uuid()'),
          expires_at: new Date()
        })
      ),
      failing('/data', () => knex.raw(`select 'x'::uuid`))
    ]
  })
  const { token } = await enter()
  for (let i = 0; i < 10; i++) {
    t.is((await send('GET', '/api/v1/lost', { token })).status, 503)
    // The next one may still be given the connection that has just been lost.
    t.true([409, 503].includes((await send('GET', '/api/v1/race', { token })).status))
  }
  t.is((await send('GET', '/api/v1/race', { token })).status, 409)
  t.is((await send('GET', '/api/v1/data', { token })).status, 422)
})

test('files of the documentation are limited by address and kept by browsers', async (t) => {
  const { send } = await start(t, { limits: { address: { limitPerMinute: 1, burst: 2 } } })
  const file = await send('GET', '/docs/swagger-ui.css')
  t.is(file.status, 200)
  t.regex(file.headers.get('cache-control') ?? '', /max-age=86400/)
  t.is((await send('GET', '/docs/swagger-ui-bundle.js')).status, 200)
  for (const path of ['/docs/swagger-ui.css', '/docs/nothing.js']) t.is((await send('GET', path)).status, 429, path)
})
