import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { freePort } from '../helpers/gate.ts'
import { createClient } from '../../scripts/load/client.ts'
import { PlainError } from '../../scripts/load/plain-error.ts'

type Step = (req: IncomingMessage, res: ServerResponse) => void

/** An API that answers one request after another as the test says, and remembers what it was asked. */
async function scripted(t: ExecutionContext, steps: Step[]) {
  const asked: { method: string; path: string; key: string | undefined; authorization: string | undefined }[] = []
  const server = createServer((req, res) => {
    req.resume()
    req.on('end', () => {
      const { 'idempotency-key': key, authorization } = req.headers
      asked.push({ method: req.method ?? '', path: req.url ?? '', key: key as string | undefined, authorization })
      steps.shift()?.(req, res)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const waits: [string, number][] = []
  const client = createClient({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    key: 'gk_test',
    onWait: (reason, seconds) => waits.push([reason, seconds])
  })
  return { client, asked, waits }
}

const json =
  (status: number, body: object, headers: Record<string, string> = {}): Step =>
  (_req, res) =>
    res.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body))

const job = (status: string, more: object = {}) => ({ id: 'j', action: 'bulk_create', status, error: null, ...more })

test('a submission that is refused for a while waits as long as it is told, under the same key', async (t) => {
  const { client, asked, waits } = await scripted(t, [
    json(429, {}, { 'Retry-After': '1' }),
    (req) => req.socket.destroy(),
    json(503, {}, { 'Retry-After': '1' }),
    json(202, job('queued')),
    json(200, job('active', { progress: { done: 1, total: 2 } })),
    json(200, job('completed', { result: { n: 1 } }))
  ])
  const seen: string[] = []
  const ended = await client.run('/bulk', { goals: [] }, ({ status }) => seen.push(status))
  t.like(ended, { status: 'completed', result: { n: 1 } })
  t.deepEqual(seen, ['queued', 'active'])
  t.deepEqual(
    waits.map(([reason]) => reason),
    ['rate limit', 'connection lost', 'service unavailable']
  )
  t.deepEqual(waits[0], ['rate limit', 1])
  t.is(new Set(asked.slice(0, 4).map(({ key }) => key)).size, 1)
  t.truthy(asked[0]?.key)
  t.is(asked[5]?.path, '/api/v1/jobs/j')
  t.true(asked.every(({ authorization }) => authorization === 'Bearer gk_test'))
})

test('what cannot be put right by waiting is told in plain words', async (t) => {
  const { client } = await scripted(t, [
    json(422, { detail: '1 field is wrong', errors: [{ path: 'goals', message: 'is empty' }] }),
    json(202, job('failed', { error: { message: 'no luck' } })),
    json(429, { detail: 'budget used up' }, { 'Retry-After': '40000' }),
    (_req, res) => res.writeHead(502).end('<html>')
  ])
  const fails = async (message: RegExp) =>
    await t.throwsAsync(client.run('/bulk', {}), { instanceOf: PlainError, message })
  await fails(/422: 1 field is wrong\n {2}goals: is empty/)
  await fails(/Job j \(bulk_create\) failed: no luck/)
  await fails(/429: budget used up/)
  await fails(/502: <html>/)
  const nobody = createClient({ url: `http://127.0.0.1:${await freePort()}`, key: 'k' })
  await t.throwsAsync(nobody.get('/jobs'), { instanceOf: PlainError, message: /nobody listens there/ })
})
