import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import test from 'ava'
import type { JobView } from '../../lib/schemas/job.ts'
import { eventually } from '../helpers/context.ts'
import { caller } from '../helpers/platform.ts'
import { runningApiForFile } from '../helpers/running-api.ts'

const { api, another } = runningApiForFile(test)

/** As long as may be asked for: an answer that comes long before it was ended, however slow the machine is. */
const hold = { prefer: 'wait=60' }
const longBeforeMs = 45_000
const password = 'correct horse battery'
let people = 0

/** Somebody who has logged in. */
async function newSession() {
  const email = `held${people++}@example.test`
  const anybody = caller(api().url)
  const { body } = await anybody<{ user: { id: string }; token: string }>('POST', '/auth/register', {
    email,
    password,
    name: ''
  })
  return { id: body.user.id, token: body.token, email, send: caller(api().url, body.token) }
}

const search = (send: ReturnType<typeof caller>, headers = {}) =>
  send<JobView & { code: string }>('POST', '/rag/search', { query: 'stack' }, headers)

test('every held answer ends with 401 when its credential ends, however it ends', async (t) => {
  const { knex } = api().context
  const elsewhere = await another()
  const ends: Record<string, () => Promise<{ send: ReturnType<typeof caller>; end: () => Promise<unknown> }>> = {
    async 'the token is logged out, at another process'() {
      const { send, token } = await newSession()
      return { send, end: () => caller(elsewhere.url, token)('POST', '/auth/logout') }
    },
    async 'the password is changed with another credential'() {
      const { send, email } = await newSession()
      const { body } = await caller(api().url)<{ token: string }>('POST', '/auth/token', { email, password })
      const change = { current: password, next: 'another horse battery' }
      return { send, end: () => caller(api().url, body.token)('POST', '/auth/password', change) }
    },
    async 'the key is deleted'() {
      const { send } = await api().newClient()
      const { body } = await send<{ id: string; key: string }>('POST', '/auth/api-keys', { name: 'held' })
      return { send: caller(api().url, body.key), end: () => send('DELETE', `/auth/api-keys/${body.id}`) }
    },
    async 'the key runs out'() {
      const { send } = await api().newClient()
      const { body } = await send<{ id: string; key: string }>('POST', '/auth/api-keys', { name: 'held' })
      const runOut = () => knex('api_keys').where({ id: body.id }).update({ expires_at: new Date() })
      return { send: caller(api().url, body.key), end: runOut }
    },
    async 'the token runs out'() {
      const { send, id } = await newSession()
      return { send, end: () => knex('sessions').where({ user_id: id }).update({ expires_at: new Date() }) }
    },
    async 'the person is deleted'() {
      const { send, id } = await api().newClient()
      const admin = await api().newClient('admin')
      return { send, end: () => admin.send('DELETE', `/users/${id}`) }
    }
  }
  await Promise.all(
    Object.entries(ends).map(async ([how, begin]) => {
      const { send, end } = await begin()
      const { body } = await search(send)
      const held = [send<{ code: string }>('GET', `/jobs/${body.id}`, undefined, hold), search(send, hold)]
      await eventually(async () => (await jobsOf(body.id)) === 2)
      const from = Date.now()
      await end()
      for (const answer of await Promise.all(held)) {
        // Deleting a person cancels their jobs first, which ends what waits for them.
        if ((answer.body as Partial<JobView>).status === 'cancelled') continue
        t.is(answer.status, 401, how)
        t.is(answer.body.code, 'unauthorized', how)
        t.regex(answer.headers.get('www-authenticate') ?? '', /invalid_token/, how)
      }
      t.true(Date.now() - from < longBeforeMs, `${how}: ${Date.now() - from} ms`)
    })
  )

  /** how many jobs the owner of this one has */
  async function jobsOf(id: string): Promise<number> {
    const owner = knex('jobs').where({ id }).select('user_id')
    const [row] = await knex('jobs').where({ user_id: owner }).count<{ count: string }[]>('*')
    return Number(row?.count)
  }
})

test('an administrator who becomes a user waits no longer for another’s job', async (t) => {
  const someone = await api().newClient()
  const { body } = await search(someone.send)
  const admin = await api().newClient('admin')
  const root = await api().newClient('admin')
  const from = Date.now()
  const held = admin.send('GET', `/jobs/${body.id}`, undefined, hold)
  const own = search(admin.send, { prefer: 'wait=4' })
  await root.send('PATCH', `/users/${admin.id}`, { role: 'user' })
  t.is((await held).status, 404)
  t.true(Date.now() - from < longBeforeMs)
  t.is((await own).status, 202)
})

test('at most twenty answers are held for a person: further ones come at once, and others’ are held still', async (t) => {
  const someone = await api().newClient()
  const { body } = await search(someone.send)
  let answered = 0
  const held = Array.from({ length: 25 }, async () => {
    const answer = await someone.send('GET', `/jobs/${body.id}`, undefined, hold)
    answered++
    return answer
  })
  await eventually(async () => answered === 5, longBeforeMs)
  const other = await api().newClient()
  const own = await search(other.send, { prefer: 'wait=1' })
  t.is(own.headers.get('preference-applied'), 'wait=1')
  t.is(answered, 5)

  await someone.send('POST', `/jobs/${body.id}/cancel`)
  const answers = await Promise.all(held)
  t.true(answers.every(({ status }) => status === 200))
  t.is(answers.filter(({ headers }) => headers.has('preference-applied')).length, 20)
})

test('a body that is still coming when its credential ends has no effect, and its connection is closed', async (t) => {
  const { token, id, send } = await newSession()
  const sending = request(`${api().url}/api/v1/goals`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-length': '1000' }
  })
  sending.on('error', () => {})
  sending.write('{"title":"never"')
  const answered = once(sending, 'response')
  // The request is known to be let in when its token of `api_call` is gone.
  await eventually(async () => {
    const { headers } = await send('GET', '/users/me')
    return Number(headers.get('x-ratelimit-remaining')) < 149
  })
  await send('POST', '/auth/logout')
  const [response] = await answered
  t.is(response.statusCode, 401)
  t.is(response.headers.connection, 'close')
  response.resume()
  sending.destroy()
  const [{ count } = { count: '' }] = await api().context.knex('goals').where({ user_id: id }).count()
  t.is(Number(count), 0)
})

test('waiting for the first request of a key ends with the credential', async (t) => {
  const { redis, prefix } = api().context
  const { id, send } = await newSession()
  const key = 'held by another process'
  const name = `${prefix}:idempotency:${id}:${createHash('sha256').update(key).digest('base64url')}`
  await redis.set(name, 'another', 'PX', 60_000)
  const waiting = search(send, { 'idempotency-key': key })
  await send('POST', '/auth/logout')
  t.is((await waiting).status, 401)
  const [{ count } = { count: '' }] = await api().context.knex('jobs').where({ user_id: id }).count()
  t.is(Number(count), 0)
})
