import { request } from 'node:http'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import test from 'ava'
import { z } from 'zod'
import { endpoint } from '../../../api/endpoint.ts'
import { bulkInputSchema } from '../../../lib/schemas/bulk.ts'
import { JsonText } from '../../../lib/text/json-text.ts'
import { textSchema } from '../../../lib/schemas/text.ts'
import { startApi } from '../../helpers/api.ts'
import { placeForFile } from '../../helpers/auth.ts'

const mib = 1024 * 1024
const place = placeForFile(test)

/** The longest text that was parsed or written as JSON at once by this thread, which serves and asks for itself alone. */
let longest = 0
const { parse, stringify } = JSON
test.before(() => {
  JSON.parse = (...[text, ...rest]: Parameters<typeof parse>) => {
    longest = Math.max(longest, String(text).length)
    return parse(text, ...rest) as unknown
  }
  JSON.stringify = (...given: [never]) => {
    const text = stringify(...given) as string | undefined
    longest = Math.max(longest, text?.length ?? 0)
    return text as string
  }
})

const common = { method: 'post', summary: 'Echo', tag: 'Test', access: 'user' } as const
const endpoints = [
  endpoint({
    ...common,
    path: '/notes',
    body: z.strictObject({ text: textSchema, data: z.unknown().optional() }),
    bodyLimitBytes: 10 * mib,
    responses: { 200: { description: 'The text' } },
    handler: async ({ body: { text } }) => ({ status: 200, body: { text } })
  }),
  endpoint({
    ...common,
    path: '/stored',
    body: bulkInputSchema,
    bodyLimitBytes: 10 * mib,
    bodyLimitValues: 20_000,
    checkLargeAs: 'bulk_create',
    responses: { 200: { description: 'What reached it' } },
    handler: async ({ body, bodyHash }) => {
      const given: unknown = body
      const bytes = given instanceof JsonText ? given.bytes.length : 0
      return { status: 200, body: { bytes, hash: bodyHash() } }
    }
  })
]

async function start(t: Parameters<typeof startApi>[0]) {
  const api = await startApi(t, { endpoints, place: place() })
  const { token } = await api.enter()
  return { ...api, token }
}

const coders = { br: brotliCompressSync, gzip: gzipSync, deflate: deflateSync }

test.serial('a bomb is refused by its bound in every coding, on every route', async (t) => {
  const { send, token } = await start(t)
  const bombs = {
    'must be nested at most 64 deep': '['.repeat(4 * mib),
    'must hold at most 1000 values': `{"text":[${'0,'.repeat(2 * mib)}0]}`
  }
  for (const [bound, text] of Object.entries(bombs)) {
    for (const [coding, pack] of Object.entries(coders)) {
      const body = pack(Buffer.from(text))
      const headers = { 'content-encoding': coding }
      const answer = await send('POST', '/api/v1/notes', { token, body, headers })
      t.like(answer.body, { status: 422, detail: `The body ${bound}` }, coding)
      // Without a credential too, where a body is small.
      const stranger = await send('POST', '/api/v1/auth/token', { body, headers })
      t.true([413, 422].includes(stranger.status), `${coding} ${stranger.status}`)
    }
  }
  const spaces = brotliCompressSync(Buffer.alloc(11 * mib, ' '))
  const large = await send('POST', '/api/v1/notes', { token, body: spaces, headers: { 'content-encoding': 'br' } })
  t.like(large.body, { status: 413, detail: 'The body is larger than 10 MiB' })
})

test.serial('codings one upon the other are a 415, and what cannot be unpacked is a 400', async (t) => {
  const { send, token } = await start(t)
  const packed = brotliCompressSync('{"text":"x"}')
  const tries: [string, Buffer, number][] = [
    ['gzip, br', brotliCompressSync(gzipSync('{"text":"x"}')), 415],
    ['br', brotliCompressSync(packed), 400],
    ['br', packed.subarray(0, -3), 400],
    ['gzip', Buffer.concat([gzipSync('{"text":'), gzipSync('"x"}')]), 200],
    ['identity', Buffer.from('{"text":"x"}'), 200]
  ]
  for (const [coding, body, status] of tries) {
    const answer = await send('POST', '/api/v1/notes', { token, body, headers: { 'content-encoding': coding } })
    t.is(answer.status, status, coding)
  }
  t.is(
    (await send('POST', '/api/v1/notes', { token, body: { text: 'still answered on these connections' } })).status,
    200
  )
})

test.serial('a large body is parsed, hashed and answered without this thread doing so at once', async (t) => {
  const { url, token } = await start(t)
  const text = '\ud83c\udf0d "quoted"\n'.repeat(300_000)
  const body = Buffer.from(stringify({ text }))
  longest = 0
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const response = await fetch(`${url}/api/v1/notes`, { method: 'POST', headers, body })
  const answer = await response.text()
  t.true(longest < mib, `${longest} characters at once`)
  t.true(answer === stringify({ text }))
})

test.serial(
  'a large bulk call is checked on a thread and arrives as text; its hash is that of its value',
  async (t) => {
    const { send, token } = await start(t)
    const goals = Array.from({ length: 500 }, (_, index) => ({
      title: `goal ${index}`,
      description: 'x'.repeat(10_000)
    }))
    const headers = { 'idempotency-key': 'k' }
    const body = Buffer.from(stringify({ goals }))
    const spaced = Buffer.from(stringify({ goals }, undefined, 1))
    longest = 0
    const stored = await send('POST', '/api/v1/stored', { token, body, headers })
    const again = await send('POST', '/api/v1/stored', { token, body: spaced, headers })
    t.true(longest < mib, `${longest} characters at once`)
    t.is(stored.body.bytes, body.length)
    t.deepEqual(again.body, stored.body)

    const wrong = Buffer.from(stringify({ goals: goals.slice(1), more: 1, tasks: [{ title: '\u0000' }] }))
    const refused = await send('POST', '/api/v1/stored', { token, body: wrong })
    t.is(refused.status, 422)
    t.deepEqual(refused.body.errors.map(({ path }: { path: string }) => path).toSorted(), ['more', 'tasks.0.title'])
    const half = await send('POST', '/api/v1/stored', { token, body: body.subarray(0, -2) })
    t.like(half.body, { status: 400, code: 'invalid_json' })
  }
)

test.serial('nobody is kept out by one who sends many large bodies slowly', async (t) => {
  const { send, token, enter, port } = await start(t)
  const other = await enter('grace')
  const slow = Array.from({ length: 8 }, () => {
    const sent = request({
      port,
      method: 'POST',
      path: '/api/v1/notes',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-length': mib }
    })
    sent.on('error', () => undefined).write(Buffer.alloc(200_000, ' '))
    return sent
  })
  t.teardown(() => slow.map((sent) => sent.destroy()))
  const text = 'x'.repeat(200_000)
  t.is((await send('POST', '/api/v1/notes', { token: other.token, body: { text } })).status, 200)
})

test.serial('a body in thousands of pieces of one byte is refused', async (t) => {
  const { port, token } = await start(t)
  const status = await new Promise<number>((resolve, reject) => {
    const sent = request({
      port,
      method: 'POST',
      path: '/api/v1/notes',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
    })
    sent.on('response', (response) => resolve(response.resume().statusCode ?? 0)).on('error', reject)
    for (let index = 0; index < 3_000; index++) sent.write(' ')
  })
  t.is(status, 400)
})
