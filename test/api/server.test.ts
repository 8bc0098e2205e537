import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { createKnex } from '../../lib/store/knex.ts'
import { eventually } from '../helpers/context.ts'
import { createIsolation, type Isolation } from '../helpers/services.ts'

const file = fileURLToPath(new URL('../../api/server.ts', import.meta.url))
const password = 'an administrator of the test'
let place: Isolation
let dataDir: string

test.before(async () => {
  place = await createIsolation()
  dataDir = await mkdtemp(join(tmpdir(), 'goals-api-'))
})
test.after.always(async () => {
  await place.remove()
  await rm(dataDir, { recursive: true, force: true })
})

type Started = { child: ChildProcess; output: () => string; exit: Promise<number | null> }

function start(t: ExecutionContext, env: Record<string, string | undefined> = {}): Started {
  const child = fork(file, {
    silent: true,
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      DATABASE_URL: place.databaseUrl,
      DATABASE_SCHEMA: place.schema,
      REDIS_URL: place.redisUrl,
      REDIS_PREFIX: place.prefix,
      RABBITMQ_URL: 'off',
      DATA_DIR: dataDir,
      PORT: '0',
      ADMIN_EMAIL: 'root@example.org',
      ADMIN_PASSWORD: password,
      ...env
    }
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (text += data.toString()))
  const exit = once(child, 'exit').then(([code]) => code as number | null)
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exit
  })
  return { child, output: () => text, exit }
}

async function ready({ child, exit, output }: Started): Promise<string> {
  const [message] = await Promise.race([
    once(child, 'message'),
    exit.then(() => Promise.reject(new Error(`ended before it was ready: ${output()}`)))
  ])
  return (message as { type: string; url: string }).url
}

test.serial('the process says when it is ready, makes the first administrator and serves', async (t) => {
  const url = await ready(start(t))
  const response = await fetch(`${url}/api/v1/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'root@example.org', password })
  })
  t.is(response.status, 200)
  t.regex(response.headers.get('ratelimit') ?? '', /^"auth";r=29;t=[12]$/)
  const { token } = (await response.json()) as { token: string }
  const me = await fetch(`${url}/api/v1/users/me`, { headers: { authorization: `Bearer ${token}` } })
  t.like(await me.json(), { email: 'root@example.org', role: 'admin' })
  t.regex(me.headers.get('ratelimit-policy') ?? '', /^"api_call";q=150;w=90$/)
})

test.serial('on SIGTERM it stops accepting, finishes what is in flight and exits 0', async (t) => {
  const started = start(t, { KEEP_ALIVE_SECONDS: '1' })
  const url = new URL(await ready(started))
  const socket = connect(Number(url.port), url.hostname)
  await once(socket, 'connect')
  let answer = ''
  socket.on('data', (data) => (answer += data.toString()))
  const body = JSON.stringify({ email: 'root@example.org', password })
  // In flight: the head is there, the body is still on its way.
  socket.write(
    `POST /api/v1/auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`
  )
  while (!answer.includes('100 Continue')) await once(socket, 'data')
  started.child.kill('SIGTERM')
  while (await accepts(url)) continue
  socket.write(body)
  await once(socket, 'close')
  t.regex(answer, /HTTP\/1\.1 200 OK/)
  t.is(await started.exit, 0)
  t.regex(started.output(), /"msg":"stopped"/)
})

async function openConnection(url: URL) {
  const socket = connect(Number(url.port), url.hostname)
  let received = ''
  socket.on('data', (data) => (received += data.toString()))
  socket.on('error', () => undefined)
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  return {
    closed,
    received: () => received,
    async ask(path = '/health/live', fields = ''): Promise<void> {
      received = ''
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`)
      while (!received.includes('\r\n\r\n')) await once(socket, 'data')
    }
  }
}

test.serial('on SIGTERM an idle connection may ask once more and is told to close', async (t) => {
  const started = start(t, { KEEP_ALIVE_SECONDS: '60' })
  const url = new URL(await ready(started))
  const [connection, other] = [await openConnection(url), await openConnection(url)]
  await connection.ask()
  await other.ask()
  t.regex(connection.received(), /keep-alive: timeout=60/i)
  started.child.kill('SIGTERM')
  while (await accepts(url)) continue
  await connection.ask()
  t.regex(connection.received(), /^HTTP\/1\.1 200[^]*connection: close/i)
  await connection.closed
  await other.ask('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n')
  t.regex(other.received(), /^HTTP\/1\.1 503/)
  await other.closed
  t.is(await started.exit, 0)
})

test.serial('on SIGINT idle connections and those never used are closed at once', async (t) => {
  const started = start(t, { KEEP_ALIVE_SECONDS: '60', DRAIN_SECONDS: '60' })
  const url = new URL(await ready(started))
  const [used, unused] = [await openConnection(url), await openConnection(url)]
  await used.ask()
  started.child.kill('SIGINT')
  await Promise.all([used.closed, unused.closed])
  t.is(await started.exit, 0)
})

test.serial('a request that waits for its job is answered with the job as it is when the process drains', async (t) => {
  const started = start(t, { KEEP_ALIVE_SECONDS: '1', DRAIN_SECONDS: '60' })
  const url = await ready(started)
  const post = async (path: string, body: object, headers: Record<string, string> = {}) =>
    await fetch(`${url}/api/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body)
    })
  const { token } = (await (await post('/auth/token', { email: 'root@example.org', password })).json()) as {
    token: string
  }
  const authorization = `Bearer ${token}`
  // No workers run here: it would wait for the whole minute.
  const waiting = post('/rag/search', { query: 'x' }, { authorization, prefer: 'wait=60' })
  const knex = createKnex({ databaseUrl: place.databaseUrl, schema: place.schema })
  t.teardown(() => knex.destroy())
  await eventually(async () => (await knex('jobs').where({ action: 'rag_search' })).length === 1)
  started.child.kill('SIGTERM')
  const answer = await waiting
  t.is(answer.status, 202)
  t.like(await answer.json(), { status: 'queued' })
  t.is(await started.exit, 0)
})

test.serial('a connection that stays open does not keep it from ending', async (t) => {
  const started = start(t, { DRAIN_SECONDS: '1' })
  const url = new URL(await ready(started))
  const socket = connect(Number(url.port), url.hostname)
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  socket.write(
    'POST /api/v1/auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{'
  )
  started.child.kill('SIGTERM')
  await once(socket, 'close')
  t.is(await started.exit, 0)
})

test.serial('it ends with whoever started it', async (t) => {
  const started = start(t)
  await ready(started)
  started.child.disconnect()
  t.is(await started.exit, 0)
})

test.serial('a busy port, a missing address and a bad variable are one clear message', async (t) => {
  const busy = createServer().listen(0, '127.0.0.1')
  await once(busy, 'listening')
  t.teardown(() => void busy.close())
  const { port } = busy.address() as AddressInfo
  const taken = start(t, { PORT: String(port) })
  t.is(await taken.exit, 1)
  t.regex(taken.output(), new RegExp(`127\\.0\\.0\\.1:${port} is in use`))
  t.notRegex(taken.output(), /\n {4}at /)

  const bare = start(t, { DATABASE_URL: undefined, PORT: 'many', LOG_LEVEL: 'loud' })
  t.is(await bare.exit, 1)
  for (const name of ['PORT', 'LOG_LEVEL']) t.regex(bare.output(), new RegExp(name))
  const missing = start(t, { DATABASE_URL: undefined })
  t.is(await missing.exit, 1)
  t.regex(missing.output(), /DATABASE_URL is required/)
})

async function accepts(url: URL): Promise<boolean> {
  const socket = connect(Number(url.port), url.hostname)
  const outcome = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  })
  socket.destroy()
  return outcome
}
