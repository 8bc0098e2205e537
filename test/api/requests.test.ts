import { request } from 'node:http'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { z } from 'zod'
import { type Endpoint, endpoint } from '../../api/endpoint.ts'
import { etagOf } from '../../lib/etag.ts'
import { idParamsSchema, pageQuerySchema } from '../../lib/schemas/page.ts'
import { startApi } from '../helpers/api.ts'
import { placeForFile } from '../helpers/auth.ts'

const note = z.strictObject({
  title: z.string().min(1).max(20),
  tags: z.array(z.strictObject({ name: z.string() })).optional(),
  data: z.unknown().optional()
})

const place = placeForFile(test)

/** Routes that answer with what reached them. */
const echo: Endpoint[] = [
  endpoint({
    method: 'post',
    path: '/notes',
    summary: 'Echo',
    tag: 'Test',
    access: 'user',
    body: note,
    responses: { 200: { description: 'The body' } },
    handler: async ({ body }) => ({ status: 200, body })
  }),
  endpoint({
    method: 'post',
    path: '/large-notes',
    summary: 'Echo',
    tag: 'Test',
    access: 'user',
    bodyLimitBytes: 3 * 1024 * 1024,
    body: z.strictObject({ text: z.string() }),
    responses: { 200: { description: 'The length' } },
    handler: async ({ body }) => ({ status: 200, body: { length: body.text.length } })
  }),
  endpoint({
    method: 'get',
    path: '/notes',
    summary: 'Echo',
    tag: 'Test',
    access: 'user',
    query: pageQuerySchema,
    responses: { 200: { description: 'The query' } },
    handler: async ({ query }) => ({ status: 200, body: query })
  }),
  endpoint({
    method: 'get',
    path: '/notes/:id',
    summary: 'Echo',
    tag: 'Test',
    access: 'user',
    params: idParamsSchema,
    responses: { 200: { description: 'The id' } },
    handler: async ({ params }) => ({ status: 200, body: params, headers: { ETag: etagOf(params) } })
  }),
  endpoint({
    method: 'post',
    path: '/notes/:id/touch',
    summary: 'No body',
    tag: 'Test',
    access: 'user',
    params: idParamsSchema,
    responses: { 204: { description: 'Done' } },
    handler: async () => ({ status: 204 })
  }),
  endpoint({
    method: 'get',
    path: '/secrets',
    summary: 'For administrators',
    tag: 'Test',
    access: 'admin',
    responses: { 200: { description: 'Yes' } },
    handler: async () => ({ status: 200, body: {} })
  }),
  endpoint({
    method: 'get',
    path: '/broken',
    summary: 'Throws',
    tag: 'Test',
    access: 'user',
    responses: {},
    async handler() {
      throw new Error('the inner message with a password')
    }
  })
]

const id = '0198c0de-0000-7000-8000-00000000000a'

async function start(t: Parameters<typeof startApi>[0], options: Parameters<typeof startApi>[1] = {}) {
  const api = await startApi(t, { endpoints: echo, place: place(), ...options })
  const { token } = await api.enter()
  return { ...api, token }
}

test('an unknown path is a 404 and a wrong method a 405 with Allow, with problem documents and limits', async (t) => {
  const { send, token } = await start(t)
  const unknown = await send('GET', '/api/v1/nothing?x=1', { token })
  t.is(unknown.status, 404)
  t.is(unknown.headers.get('content-type'), 'application/problem+json; charset=utf-8')
  t.like(unknown.body, { type: 'about:blank', title: 'Not found', status: 404, code: 'not_found' })
  t.is(unknown.body.requestId, unknown.headers.get('x-request-id'))
  t.regex(unknown.headers.get('ratelimit') ?? '', /^"api_call";r=\d+;t=\d+$/)

  const wrong = await send('DELETE', '/api/v1/notes', { token })
  t.is(wrong.status, 405)
  t.is(wrong.headers.get('allow'), 'GET, HEAD, OPTIONS, POST')
  t.like(wrong.body, { code: 'method_not_allowed' })
  t.truthy(wrong.headers.get('ratelimit'))

  t.is((await send('GET', '/nothing/at/the/root')).status, 404)
  t.is((await send('GET', '/api/v1')).status, 404)
  t.is((await send('GET', '/api/v1/notes/%E0%A4%A', { token })).status, 404)
})

test('HEAD answers as GET without a body, OPTIONS tells the methods', async (t) => {
  const { send, token } = await start(t)
  const head = await send('HEAD', `/api/v1/notes/${id}`, { token })
  t.is(head.status, 200)
  t.is(head.text, '')
  t.truthy(head.headers.get('etag'))
  const options = await send('OPTIONS', '/api/v1/notes')
  t.is(options.status, 204)
  t.is(options.headers.get('allow'), 'GET, HEAD, OPTIONS, POST')
  t.truthy(options.headers.get('ratelimit'))
  t.is((await send('OPTIONS', '/api/v1/nothing')).status, 404)
})

test('strangers get 401, users 403 on routes of administrators, administrators an answer', async (t) => {
  const { send, token, enter } = await start(t)
  const stranger = await send('GET', '/api/v1/secrets')
  t.is(stranger.status, 401)
  t.is(stranger.headers.get('www-authenticate'), 'Bearer')
  t.regex(stranger.headers.get('ratelimit') ?? '', /^"address";/)
  const forged = await send('GET', '/api/v1/secrets', { token: `${token}x` })
  t.is(forged.status, 401)
  t.is(forged.headers.get('www-authenticate'), 'Bearer error="invalid_token"')
  t.is((await send('GET', '/api/v1/secrets', { token })).status, 403)
  const root = await enter('root', 'admin')
  t.is((await send('GET', '/api/v1/secrets', { token: root.token })).status, 200)
})

test('a token is taken from the Authorization header and from nowhere else', async (t) => {
  const { send, token } = await start(t)
  t.is((await send('GET', `/api/v1/notes?access_token=${token}`)).status, 401)
  t.is((await send('GET', '/api/v1/notes', { headers: { cookie: `token=${token}` } })).status, 401)
  for (const authorization of [token, `Basic ${token}`, `Bearer ${token} x`, 'Bearer', 'Bearer  ', `bearer,${token}`]) {
    t.is((await send('GET', '/api/v1/notes', { headers: { authorization } })).status, 401, authorization.slice(0, 9))
  }
  t.is((await send('GET', '/api/v1/notes', { headers: { authorization: `bearer  ${token}` } })).status, 200)
})

test('a body that is not JSON in UTF-8 is a 400', async (t) => {
  const { send, token } = await start(t)
  const bad = {
    words: 'hello',
    half: '{"title": "x"',
    empty: ' ',
    trailing: '{"title":"x"},',
    'not utf-8': Buffer.concat([Buffer.from('{"title":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]),
    'utf-16': Buffer.from('{"title":"x"}', 'utf16le'),
    'a bare NaN': '{"title":NaN}',
    'a control character': '{"title":"a\u0001"}'
  }
  for (const [name, body] of Object.entries(bad)) {
    const answer = await send('POST', '/api/v1/notes', { token, body })
    t.is(answer.status, 400, name)
    t.is(answer.body.code, 'invalid_json', name)
    t.truthy(answer.headers.get('ratelimit'))
  }
})

test('another media type, charset or coding is a 415', async (t) => {
  const { send, token } = await start(t)
  const body = '{"title":"x"}'
  const fields = [
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/x-www-form-urlencoded' },
    { 'content-type': 'multipart/form-data; boundary=x' },
    { 'content-type': '' },
    { 'content-type': 'application/json; charset=utf-16' },
    { 'content-type': 'application/jsonp' },
    { 'content-encoding': 'zstd-of-sorts' }
  ]
  for (const headers of fields) {
    const answer = await send('POST', '/api/v1/notes', { token, body, headers: headers as Record<string, string> })
    t.is(answer.status, 415, JSON.stringify(headers))
  }
  for (const type of ['application/json; charset=UTF-8', 'Application/JSON', 'application/problem+json']) {
    t.is((await send('POST', '/api/v1/notes', { token, body, headers: { 'content-type': type } })).status, 200, type)
  }
})

test('a body over the limit is a 413, counted as it is unpacked', async (t) => {
  const { send, token } = await start(t)
  const text = 'x'.repeat(1024 * 1024)
  t.is((await send('POST', '/api/v1/notes', { token, body: { title: text } })).status, 413)
  t.deepEqual((await send('POST', '/api/v1/large-notes', { token, body: { text } })).body, { length: text.length })
  const packed = gzipSync(JSON.stringify({ title: text }))
  t.true(packed.length < 10_000)
  const bomb = await send('POST', '/api/v1/notes', { token, body: packed, headers: { 'content-encoding': 'gzip' } })
  t.is(bomb.status, 413)
  t.like(bomb.body, { code: 'payload_too_large', detail: 'The body is larger than 1 MiB' })
  const small = gzipSync('{"title":"x"}')
  const unpacked = await send('POST', '/api/v1/notes', { token, body: small, headers: { 'content-encoding': 'gzip' } })
  t.is(unpacked.status, 200)
  const garbled = await send('POST', '/api/v1/notes', {
    token,
    body: Buffer.from('not gzip at all'),
    headers: { 'content-encoding': 'gzip' }
  })
  t.is(garbled.status, 400)
})

test('a stranger\u2019s large body is not read: who asks first is refused before sending it', async (t) => {
  const { port, token } = await start(t)
  const ask = (authorization: string) =>
    new Promise<{ status: number; continued: boolean }>((resolve, reject) => {
      let continued = false
      const sent = request({
        port,
        method: 'POST',
        path: '/api/v1/large-notes',
        headers: { authorization, 'content-type': 'application/json', 'content-length': '12', expect: '100-continue' }
      })
      sent.on('continue', () => {
        continued = true
        sent.end('{"text":"x"}')
      })
      sent.on('response', (response) => {
        response.resume()
        resolve({ status: response.statusCode ?? 0, continued })
        sent.destroy()
      })
      sent.on('error', reject)
      sent.flushHeaders()
    })
  t.deepEqual(await ask('Bearer nobody'), { status: 401, continued: false })
  t.deepEqual(await ask(`Bearer ${token}`), { status: 200, continued: true })
})

test('a wrong shape is a 422 that names every wrong field, unknown ones too', async (t) => {
  const { send, token } = await start(t)
  const answer = await send('POST', '/api/v1/notes?page=2', {
    token,
    body: { title: '', tags: [{ name: 1 }, { name: 'x', colour: 'red' }], more: 1, 'and more': 2 }
  })
  t.is(answer.status, 422)
  t.deepEqual(answer.body.errors.map(({ path }: { path: string }) => path).sort(), [
    'and more',
    'more',
    'page',
    'tags.0.name',
    'tags.1.colour',
    'title'
  ])
  for (const body of ['null', '7', '"text"', '[]', 'true']) {
    const odd = await send('POST', '/api/v1/notes', { token, body })
    t.is(odd.status, 422, body)
    t.is(odd.body.errors[0].path, '')
  }
  const none = await send('POST', '/api/v1/notes', { token })
  t.like(none.body, { status: 422, errors: [{ path: '', message: 'a JSON body is required' }] })
})

test('text that cannot be stored and values nested too deep are a 422', async (t) => {
  const { send, token } = await start(t)
  const nul = await send('POST', '/api/v1/notes', { token, body: '{"title":"x","data":{"a":["\\u0000"]}}' })
  t.like(nul.body, { status: 422, errors: [{ path: 'data.a.0' }] })
  const lone = await send('POST', '/api/v1/notes', { token, body: '{"title":"\\ud800"}' })
  t.like(lone.body, { status: 422, errors: [{ path: 'title' }] })
  const deep = `{"title":"x","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
  t.is((await send('POST', '/api/v1/notes', { token, body: deep })).status, 422)
  const open = await send('POST', '/api/v1/notes', { token, body: '['.repeat(500_000) })
  t.like(open.body, { status: 422, detail: 'The body must be nested at most 64 deep' })
  const many = await send('POST', '/api/v1/notes', { token, body: `{"title":"x","data":[${'1,'.repeat(1_000)}1]}` })
  t.like(many.body, { status: 422, errors: [{ path: '', message: 'must hold at most 1000 values' }] })
})

test('keys that mean something to JavaScript are fields like any other', async (t) => {
  const { send, token } = await start(t)
  const body = '{"title":"x","__proto__":{"polluted":true},"constructor":1}'
  const answer = await send('POST', '/api/v1/notes', { token, body })
  t.is(answer.status, 422)
  t.deepEqual(answer.body.errors.map(({ path }: { path: string }) => path).sort(), ['__proto__', 'constructor'])
  const inner = '{"title":"x","data":{"__proto__":{"polluted":true}}}'
  t.is((await send('POST', '/api/v1/notes', { token, body: inner })).status, 200)
  t.is((await send('GET', '/api/v1/notes?__proto__[polluted]=1&__proto__=1', { token })).status, 422)
  t.is(({} as { polluted?: boolean }).polluted, undefined)
})

test('an unknown or repeated query parameter is a 422, also where there are none', async (t) => {
  const { send, token } = await start(t)
  t.deepEqual((await send('GET', '/api/v1/notes?limit=7', { token })).body, { limit: 7 })
  const wrong = await send('GET', '/api/v1/notes?limit=0&cursor=x&sort=asc', { token })
  t.is(wrong.status, 422)
  t.deepEqual(wrong.body.errors.map(({ path }: { path: string }) => path).sort(), ['cursor', 'limit', 'sort'])
  t.is((await send('GET', '/api/v1/notes?limit=1&limit=2', { token })).status, 422)
  for (const odd of ['', '%00', '101', '1.5', '-1', '+5', '%205', '0x10', '1e1', 'abc']) {
    const answer = await send('GET', `/api/v1/notes?limit=${odd}`, { token })
    t.like(answer.body, { status: 422, errors: [{ path: 'limit' }] }, odd)
  }
  const none = await send('GET', `/api/v1/notes/${id}?fields=all`, { token })
  t.like(none.body, { status: 422, errors: [{ path: 'fields' }] })
})

test('a malformed id in the path is a 404, an id in capitals is the same id', async (t) => {
  const { send, token } = await start(t)
  for (const odd of ['1', 'null', `${id}0`, '%00', "'; drop table users; --", '..%2F..']) {
    t.is((await send('GET', `/api/v1/notes/${encodeURIComponent(odd)}`, { token })).status, 404, odd)
  }
  t.deepEqual((await send('GET', `/api/v1/notes/${id.toUpperCase()}`, { token })).body, { id })
})

test('a body where none is taken is ignored', async (t) => {
  const { send, token } = await start(t)
  t.is((await send('POST', `/api/v1/notes/${id}/touch`, { token, body: { a: 1 } })).status, 204)
  t.is((await send('POST', `/api/v1/notes/${id}/touch`, { token, body: 'not json' })).status, 204)
})

test('a read whose tag the client has is a 304', async (t) => {
  const { send, token } = await start(t)
  const etag = (await send('GET', `/api/v1/notes/${id}`, { token })).headers.get('etag') ?? ''
  const again = await send('GET', `/api/v1/notes/${id}`, { token, headers: { 'if-none-match': `W/${etag}, "x"` } })
  t.is(again.status, 304)
  t.is(again.text, '')
  t.is(again.headers.get('etag'), etag)
})

test('an error nobody foresaw is a 500 that says nothing about itself', async (t) => {
  const lines: string[] = []
  const { send, token } = await start(t, { onLog: (line) => lines.push(line) })
  const answer = await send('GET', '/api/v1/broken', { token })
  t.is(answer.status, 500)
  t.like(answer.body, { code: 'internal', detail: 'Something went wrong here' })
  t.notRegex(answer.text, /inner message|broken|at /)
  t.true(lines.some((line) => line.includes('request failed') && line.includes(answer.body.requestId)))
})

test('a sane request id is kept and any other replaced', async (t) => {
  const { send } = await start(t)
  const idOf = async (sent: string) =>
    (await send('GET', '/', { headers: { 'x-request-id': sent } })).headers.get('x-request-id')
  t.is(await idOf('trace-1:a.b'), 'trace-1:a.b')
  for (const odd of ['a b', 'x'.repeat(101), '<script>', '']) t.not(await idOf(odd), odd)
})

test('the log names the route and holds no query, body or credential', async (t) => {
  const lines: string[] = []
  const { send, token } = await start(t, { onLog: (line) => lines.push(line) })
  await send('POST', '/api/v1/notes?sekret=in-the-query', { token, body: { title: 'in-the-body' } })
  await send('POST', '/api/v1/auth/token', { body: { email: 'in@the.body', password: 'in-the-password' } })
  await send('GET', `/api/v1/notes/${id}`, { token, headers: { cookie: 'in=the-cookie' } })
  await send('POST', '/api/v1/notes', { token, body: '{"title":"in-the-broken-body' })
  const log = lines.join('')
  t.regex(log, /"route":"\/api\/v1\/notes\/:id"/)
  t.notRegex(log, /in-the|the-cookie|in@the|sekret|gk_|eyJ/)
})

test('browsers of configured origins may call and read what they need, others not', async (t) => {
  const { send, token } = await start(t, { env: { CORS_ORIGINS: 'https://app.example.org' } })
  const headers = { origin: 'https://app.example.org' }
  const answer = await send('GET', '/api/v1/notes', { token, headers })
  t.is(answer.headers.get('access-control-allow-origin'), 'https://app.example.org')
  t.is(answer.headers.get('access-control-allow-credentials'), null)
  const exposed = answer.headers.get('access-control-expose-headers') ?? ''
  for (const name of ['RateLimit', 'RateLimit-Policy', 'Location', 'ETag', 'Retry-After', 'Preference-Applied']) {
    t.true(exposed.split(',').includes(name), name)
  }
  const preflight = await send('OPTIONS', '/api/v1/notes', {
    headers: { ...headers, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' }
  })
  t.is(preflight.status, 204)
  t.regex(preflight.headers.get('access-control-allow-headers') ?? '', /Authorization/)
  const plain = await send('OPTIONS', '/api/v1/notes', { headers })
  t.is(plain.headers.get('allow'), 'GET, HEAD, OPTIONS, POST')
  t.is(plain.headers.get('access-control-allow-origin'), 'https://app.example.org')
  t.is((await send('OPTIONS', '/api/v1/nothing')).status, 404)
  const other = await send('GET', '/api/v1/notes', { token, headers: { origin: 'https://evil.example.org' } })
  t.is(other.headers.get('access-control-allow-origin'), null)
  const refused = await send('GET', '/api/v1/notes', { headers })
  t.is(refused.headers.get('access-control-allow-origin'), 'https://app.example.org')
})

test('without configured origins no CORS field is sent', async (t) => {
  const { send, token } = await start(t)
  const answer = await send('GET', '/api/v1/notes', { token, headers: { origin: 'https://app.example.org' } })
  t.false([...answer.headers.keys()].some((name) => name.startsWith('access-control')))
})

test('every answer carries the security headers', async (t) => {
  const { send } = await start(t)
  for (const path of ['/', '/api/v1/notes', '/nothing', '/docs/', '/admin/login']) {
    const { headers } = await send('GET', path)
    t.is(headers.get('x-content-type-options'), 'nosniff', path)
    t.is(headers.get('x-powered-by'), null, path)
    t.regex(headers.get('content-security-policy') ?? '', /script-src 'self';/, path)
    t.regex(headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/, path)
  }
})
