import test from 'ava'
import { WebSocket } from 'ws'
import { newId } from '../../lib/ids.ts'
import { createRedis } from '../../lib/redis/client.ts'
import { eventually } from '../helpers/context.ts'
import { startPrivate } from '../helpers/private-services.ts'
import { createReadOnlyRole } from '../helpers/read-only-role.ts'
import { type RunningApi, runningApiForFile } from '../helpers/running-api.ts'

const roomy = { limitPerMinute: 1_000_000 }
const names = ['api_call', 'address', 'auth', 'login_failed', 'chat_completion', 'rag_search', 'embedding_generation']
const RATE_LIMITS = JSON.stringify(
  Object.fromEntries([...names, 'bulk_create', 'code_validation'].map((n) => [n, roomy]))
)
const { another, api, onClose } = runningApiForFile(test, { RATE_LIMITS })

type Operation = { method: string; path: string }
type Ids = Record<string, string>

/** What each route would take. A route that is not here is asked with an empty body. */
const bodies = (ids: Ids): Record<string, unknown> => ({
  'POST /auth/register': { email: `${newId()}@example.test`, password: 'a password of length', name: 'Ada' },
  'POST /auth/token': { email: ids.email, password: ids.password },
  'POST /auth/password': { current: ids.password, next: 'another password of length' },
  'POST /auth/api-keys': { name: 'x' },
  'POST /users': { email: `${newId()}@example.test`, password: 'a password of length', name: 'Bob', role: 'user' },
  'PATCH /users/{id}': { name: 'Other' },
  'POST /courses': { title: 'Course' },
  'PATCH /courses/{id}': { title: 'Other' },
  'POST /courses/{id}/documents': { title: 'Page', markdown: '# One' },
  'POST /courses/{id}/enrollments': { userId: ids.user },
  'POST /documents': { title: 'Page', markdown: '# One' },
  'PATCH /documents/{id}': { title: 'Other' },
  'POST /goals': { title: 'Goal' },
  'PATCH /goals/{id}': { title: 'Other' },
  'POST /tasks': { goalId: ids.goals, title: 'Task' },
  'PATCH /tasks/{id}': { title: 'Other' },
  'POST /tasks/{id}/complete': undefined,
  'POST /code-snapshots': { language: 'javascript', source: 'let a' },
  'PATCH /code-snapshots/{id}': { note: 'x' },
  'POST /events': { type: 'client.seen', data: {} },
  'POST /embeddings': { input: 'text' },
  'POST /chat': { message: 'Why?' },
  'POST /code-validations': { language: 'javascript', source: 'let a' },
  'POST /rag/search': { query: 'stack' },
  'POST /bulk': { goals: [{ title: 'Goal' }] },
  'POST /webhooks': { url: 'https://93.184.216.34/hook', events: ['goal.*'] },
  'PUT /admin/rate-limits/users/{id}/limits': { action: 'chat_completion', limitPerMinute: 5, burst: 1 },
  'PUT /admin/budgets/default': { dailyUsd: '5', monthlyUsd: null },
  'PUT /admin/budgets/users/{id}': { dailyUsd: '5', monthlyUsd: null },
  'POST /admin/prices': {
    model: 'm',
    inputPerMillion: '1',
    outputPerMillion: '1',
    validFrom: new Date(Date.now() + 60_000).toISOString()
  }
})

const submissions = ['/embeddings', '/chat', '/code-validations', '/rag/search', '/bulk']

async function operations({ url }: RunningApi): Promise<Operation[]> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> }
  return Object.entries(paths)
    .filter(([path]) => path.startsWith('/api/v1/'))
    .flatMap(([path, of]) =>
      Object.keys(of).map((method) => ({ method: method.toUpperCase(), path: path.slice('/api/v1'.length) }))
    )
}

/** Somebody with a record of each kind, made while everything was well. */
async function prepare({ newClient, url }: RunningApi) {
  const { id, send, key } = await newClient('admin')
  const ids: Ids = { user: id, users: id, email: `${newId()}@example.test`, password: 'a password of length' }
  await send('POST', '/auth/register', { email: ids.email, password: ids.password, name: 'Ada' })
  for (const kind of ['goals', 'courses', 'documents', 'code-snapshots', 'tasks']) {
    const answer = await send<{ id: string }>('POST', `/${kind}`, bodies(ids)[`POST /${kind}`])
    ids[kind] = answer.body.id
  }
  const job = await send<{ id: string }>('POST', '/chat', { message: 'Why?' })
  ids.jobs = job.body.id
  return { ids, send, key, url }
}

/** Every route once, with the ids of what there is. */
async function askAll(running: RunningApi, { ids, send }: Awaited<ReturnType<typeof prepare>>) {
  const all = (await operations(running)).toSorted((a) => (a.method === 'DELETE' ? 1 : -1))
  const answers = new Map<string, { status: number; retryAfter: string | null }>()
  for (const { method, path } of all) {
    const name = `${method} ${path}`
    if (name === 'POST /auth/logout') continue
    const [, kind = ''] = path.split('/')
    const real = path.replace(/\{(\w+)\}/g, (_, part) =>
      part === 'id' ? (ids[kind] ?? ids.user ?? '') : (ids.user ?? '')
    )
    const body = name in bodies(ids) ? bodies(ids)[name] : method === 'GET' || method === 'DELETE' ? undefined : {}
    const { status, headers } = await send(method, real, body)
    answers.set(name, { status, retryAfter: headers.get('retry-after') })
  }
  return answers
}

/** Names of answers that are none for an outage: 5xx other than 503, and 503 without a time. */
const wrong = (answers: Awaited<ReturnType<typeof askAll>>) =>
  [...answers].filter(([, { status, retryAfter }]) => status > 503 || (status >= 500 && (status < 503 || !retryAfter)))

/** What a socket is told when it subscribes to everything of its person's. */
async function subscribe(url: string, key: string): Promise<{ type: string; code?: string }> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, { headers: { authorization: `Bearer ${key}` } })
  try {
    return await new Promise((resolve, reject) => {
      socket.on('error', reject)
      socket.on('unexpected-response', (_request, { statusCode }) =>
        resolve({ type: 'refused', code: String(statusCode) })
      )
      socket.on('open', () => socket.send('{"type":"subscribe","id":1,"channel":"user:me"}'))
      socket.on('message', (data: Buffer) => resolve(JSON.parse(data.toString()) as { type: string }))
    })
  } finally {
    socket.close()
  }
}

test('while PostgreSQL is read-only everything is read, and whatever writes is a 503 that says when', async (t) => {
  const role = await createReadOnlyRole(api().context.isolation.databaseUrl)
  onClose(role.remove)
  const running = await another({ DATABASE_URL: role.databaseUrl })
  const somebody = await prepare(running)
  await role.freeze()
  const goal = { title: 'Goal' }
  await eventually(async () => (await somebody.send('POST', '/goals', goal)).status === 503)

  const answers = await askAll(running, somebody)
  t.deepEqual(wrong(answers), [])
  for (const path of ['/users/me', '/goals', '/goals/{id}', '/jobs', '/jobs/{id}', '/jobs/{id}/events'])
    t.is(answers.get(`GET ${path}`)?.status, 200, path)
  const writes = ['/auth/register', '/auth/token', '/auth/api-keys', '/goals', '/courses', '/documents', '/events']
  for (const path of [...writes, '/tasks', '/code-snapshots', '/admin/prices', ...submissions])
    t.is(answers.get(`POST ${path}`)?.status, 503, path)
  t.is(answers.get('PATCH /goals/{id}')?.status, 503)
  t.is(answers.get('DELETE /goals/{id}')?.status, 503)
  t.is(answers.get('POST /auth/ws-tickets')?.status, 201)
  t.is((await somebody.send('POST', '/auth/logout')).status, 503)
  const login = new URLSearchParams({ email: somebody.ids.email as string, password: somebody.ids.password as string })
  const console = await fetch(`${running.url}/admin/login`, { method: 'POST', body: login })
  t.is(console.status, 503)
  t.truthy(console.headers.get('retry-after'))
  t.like(await subscribe(running.url, somebody.key), { type: 'subscribed' })

  await role.thaw()
  await eventually(async () => (await somebody.send('POST', '/goals', goal)).status === 201)
})

test('while Redis takes no writes jobs are accepted, and only what lives in Redis is a 503 that says when', async (t) => {
  const { redisUrl } = await startPrivate({ teardown: onClose }, 'redis')
  const running = await another({ REDIS_URL: redisUrl })
  const { key, send } = await running.newClient()
  const { log } = api().context
  const redis = createRedis(redisUrl, { kind: 'commands', name: 'test', log })
  onClose(async () => redis.disconnect())
  const refusals: [string, string, string][] = [
    ['min-replicas-to-write', '1', '0'],
    ['maxmemory', '1', '0']
  ]
  for (const [setting, on, off] of refusals) {
    const somebody = await prepare(running)
    await redis.config('SET', setting, on)
    const answers = await askAll(running, somebody)
    t.deepEqual(wrong(answers), [], setting)
    t.is(answers.get('POST /auth/ws-tickets')?.status, 503)
    for (const path of submissions) t.is(answers.get(`POST ${path}`)?.status, 202, `${setting} ${path}`)
    t.like(await subscribe(running.url, key), { type: 'subscribed' })
    await redis.config('SET', setting, off)
    await eventually(async () => (await send('POST', '/auth/ws-tickets')).status === 201)
  }
})
