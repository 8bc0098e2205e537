import { connect } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import { contextEndpoints } from '../../api/endpoints.ts'
import type { Endpoint } from '../../api/endpoint.ts'
import { startApi } from '../helpers/api.ts'
import { contextForFile } from '../helpers/context.ts'
import { gateOver } from '../helpers/gate.ts'

const context = contextForFile(test)
const seed = 20260101
const id = '0198c0de-0000-7000-8000-00000000000a'

/** Values that have broken servers before. */
const odd = fc.constantFrom(
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\udfff\ud800',
  '\ufeff',
  '\u202e',
  "'; drop table users; --",
  '${7*7}',
  '../../etc/passwd',
  '%00',
  '%',
  '<script>',
  '-1',
  'NaN',
  'null',
  'true',
  '1e400',
  '9'.repeat(400),
  'x'.repeat(70_000),
  '2026-02-30T25:61:61Z',
  '0000-00-00T00:00:00Z',
  '+275760-09-13T00:00:00.001Z',
  id,
  id.toUpperCase(),
  `${id}\n`,
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty'
)
/** Names that some route gives a meaning, so that rubbish gets past the first look. */
const field = fc.constantFrom(
  'email',
  'password',
  'name',
  'role',
  'title',
  'description',
  'courseId',
  'goalId',
  'taskId',
  'status',
  'dueAt',
  'language',
  'source',
  'markdown',
  'type',
  'subject',
  'data',
  'input',
  'encoding',
  'message',
  'threadId',
  'query',
  'tool',
  'scope',
  'limit',
  'types',
  'courses',
  'goals',
  'tasks',
  'codeSnapshots',
  'documents',
  'clientId',
  'expiresAt',
  'current',
  'next',
  'position',
  'visibility',
  'userId',
  'agent',
  'allowWrites',
  'maxOutputTokens',
  'maxCostUsd',
  'codeSnapshotId'
)
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    odd,
    fc.constantFrom(null, true, false, 0, -0, -1, 1.5, 1e308, -1e308, 2 ** 53, 2 ** 31, Number.MIN_VALUE),
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(
        odd.filter((text) => text.length < 100),
        field
      ),
      tie('any'),
      { maxKeys: 5 }
    )
  )
})).any

const body = fc.oneof(fc.dictionary(field, value, { maxKeys: 8 }), value)
const queryName = fc.oneof(
  fc.constantFrom('limit', 'cursor', 'status', 'action', 'type', 'after', 'goalId', 'courseId'),
  odd
)

const endpoints = (): Endpoint[] =>
  contextEndpoints({
    context: context(),
    gate: gateOver(context()),
    awaitJob: async (_asked, job) => ({ job, headers: {} })
  })

const start = (t: Parameters<typeof startApi>[0]) =>
  startApi(t, {
    place: { ...context().isolation, prefix: `${context().prefix}_rubbish` },
    endpoints: endpoints(),
    limits: Object.fromEntries(
      ['embedding_generation', 'chat_completion', 'code_validation', 'rag_search', 'bulk_create'].map((name) => [
        name,
        { limitPerMinute: 100_000, burst: 1 }
      ])
    ),
    onLog: () => undefined
  })

test('no body, query or path that a client makes up is a server error', async (t) => {
  const { send, enter } = await start(t)
  const { token } = await enter('root', 'admin')
  const routes = endpoints()
    .map(({ method, path }) => ({ method: method.toUpperCase(), path }))
    .concat([
      { method: 'POST', path: '/auth/register' },
      { method: 'POST', path: '/auth/token' },
      { method: 'POST', path: '/auth/password' },
      { method: 'POST', path: '/auth/api-keys' },
      { method: 'POST', path: '/users' },
      { method: 'PATCH', path: '/users/:id' },
      { method: 'GET', path: '/users' }
    ])
  const statuses = new Map<number, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...routes),
      fc.oneof(
        fc.constant(id),
        odd.filter((text) => text !== '' && text.length < 1000)
      ),
      fc.dictionary(
        queryName,
        odd.filter((text) => text.length < 1000),
        { maxKeys: 2 }
      ),
      body,
      async ({ method, path }, parameter, query, sent) => {
        const filled = path.replaceAll(/:\w+/g, () => encodeURIComponent(parameter.toWellFormed()))
        const search = Object.entries(query)
          .map(
            ([name, text]) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(text.toWellFormed())}`
          )
          .join('&')
        const url = `/api/v1${filled}${search ? `?${search}` : ''}`
        const withBody = method === 'GET' ? {} : { body: JSON.stringify(sent) }
        const { status, body: answer } = await send(method, url, { token, ...withBody })
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status >= 500) throw new Error(`${method} ${url} ${status} ${JSON.stringify(answer)}`)
      }
    ),
    { seed, numRuns: 400, endOnFailure: true }
  )
  // Rubbish that is refused at the first door would show nothing.
  t.true((statuses.get(422) ?? 0) > 40)
  t.true([200, 201, 202].some((status) => statuses.has(status)))
})

test('no header that a client makes up is a server error', async (t) => {
  const { send, enter } = await start(t)
  const { token } = await enter()
  const text = odd.filter((candidate) => /^[\t\x20-\x7e\x80-\xff]*$/.test(candidate) && candidate.length < 8_000)
  const names = [
    'authorization',
    'content-type',
    'content-encoding',
    'if-match',
    'if-none-match',
    'prefer',
    'accept',
    'idempotency-key',
    'x-request-id',
    'x-forwarded-for',
    'cookie',
    'last-event-id',
    'origin',
    'user-agent',
    'range'
  ]
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(
        '/api/v1/users/me',
        '/api/v1/chat',
        '/api/v1/goals',
        '/admin/queues',
        '/admin/login',
        '/health',
        '/docs/',
        '/'
      ),
      fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'),
      fc.dictionary(fc.constantFrom(...names), text, { minKeys: 1, maxKeys: 4 }),
      async (path, method, headers) => {
        const withBody = method === 'POST' || method === 'PATCH' ? { body: '{"message":"x"}' } : {}
        const { status } = await send(method, path, { token, headers, redirect: 'manual', ...withBody })
        if (status >= 500) throw new Error(`${method} ${path} ${JSON.stringify(headers)} ${status}`)
      }
    ),
    { seed, numRuns: 200, endOnFailure: true }
  )
  t.pass()
})

test('bytes that are no HTTP at all leave the server serving', async (t) => {
  const { port, send } = await start(t)
  const probePort = (bytes: string | Buffer) =>
    new Promise<string>((resolve) => {
      let answer = ''
      const socket = connect(port, '127.0.0.1', () => socket.end(bytes))
      socket.on('data', (data) => {
        answer += data.toString('latin1')
      })
      socket.on('error', () => resolve(answer))
      socket.on('close', () => resolve(answer))
    })
  const host = 'Host: x\r\n'
  const cases = [
    '\r\n\r\n',
    'GET\r\n\r\n',
    Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]),
    `GET /api/v1/users/me HTTP/1.1\r\n\r\n`,
    `GET //evil.example.org/%2f.. HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    `GET /\u0000 HTTP/1.1\r\n${host}\r\n`,
    `GET http://[::1/ HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    `OPTIONS * HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    `BREW /api/v1/users/me HTTP/1.1\r\n${host}\r\n`,
    `TRACE /api/v1/users/me HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    `POST /api/v1/auth/token HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `POST /api/v1/auth/token HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"a"`,
    `POST /api/v1/auth/token HTTP/1.1\r\n${host}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${host}\r\n`,
    `GET / HTTP/1.1\r\n${host}${'X-A: b\r\n'.repeat(3_000)}\r\n`
  ]
  for (const bytes of cases) t.notRegex(await probePort(bytes), /^HTTP\/1\.1 5(?!05)/m, String(bytes).slice(0, 60))
  t.is((await send('GET', '/health/live')).status, 200)
})
