import test from 'ava'
import { startApi } from '../helpers/api.ts'
import { placeForFile } from '../helpers/auth.ts'
import { eventually } from '../helpers/context.ts'

const place = placeForFile(test)
const start = (t: Parameters<typeof startApi>[0]) => startApi(t, { place: place() })
const password = 'correct horse battery'
let people = 0
const newEmail = () => `person${people++}@example.org`

test('registering gives the user and a token that works, never to be stored on the way', async (t) => {
  const { send } = await start(t)
  const email = newEmail()
  const answer = await send('POST', '/api/v1/auth/register', { body: { email, password, name: 'Ada' } })
  t.is(answer.status, 201)
  t.deepEqual(Object.keys(answer.body).sort(), ['expiresAt', 'token', 'user'])
  t.is(answer.headers.get('location'), `/api/v1/users/${answer.body.user.id}`)
  t.is(answer.headers.get('cache-control'), 'no-store')
  t.like(answer.body.user, { email, name: 'Ada', role: 'user' })
  t.regex(answer.body.expiresAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/)
  t.deepEqual((await send('GET', '/api/v1/users/me', { token: answer.body.token })).body, answer.body.user)
  t.like((await send('POST', '/api/v1/auth/register', { body: { email: email.toUpperCase(), password } })).body, {
    status: 409,
    code: 'conflict',
    errors: [{ path: 'email', message: 'is taken' }]
  })
})

test('registering names every wrong field and lets nobody choose a role', async (t) => {
  const { send } = await start(t)
  const body = { email: 'not an address', password: 'short', name: 'x'.repeat(201), role: 'admin' }
  const { status, body: problem } = await send('POST', '/api/v1/auth/register', { body })
  t.is(status, 422)
  t.deepEqual(problem.errors.map(({ path }: { path: string }) => path).sort(), ['email', 'name', 'password', 'role'])
  const long = await send('POST', '/api/v1/auth/register', { body: { email: newEmail(), password: 'x'.repeat(201) } })
  t.is(long.status, 422)
})

test('a login gives a token, and a wrong pair a 401 whatever was wrong', async (t) => {
  const { send, enter } = await start(t)
  const { email, password: right } = await enter()
  const good = await send('POST', '/api/v1/auth/token', { body: { email: email.toUpperCase(), password: right } })
  t.is(good.status, 200)
  t.is((await send('GET', '/api/v1/users/me', { token: good.body.token })).body.email, email)

  const wrong = await send('POST', '/api/v1/auth/token', { body: { email, password: 'wrong horse battery' } })
  const unknown = await send('POST', '/api/v1/auth/token', { body: { email: 'nobody@example.org', password: right } })
  t.is(wrong.status, 401)
  const { requestId: _one, ...first } = wrong.body
  const { requestId: _other, ...second } = unknown.body
  t.deepEqual(first, second)
  t.like(first, { code: 'invalid_credentials', detail: 'E-mail or password is wrong' })
  t.is((await send('POST', '/api/v1/auth/token', { body: { email } })).status, 422)
})

test('a new password ends every other credential and needs the current one', async (t) => {
  const { send, enter } = await start(t)
  const { email, token, password: current } = await enter()
  const other = (await send('POST', '/api/v1/auth/token', { body: { email, password: current } })).body.token
  const { key } = (await send('POST', '/api/v1/auth/api-keys', { token, body: { name: 'laptop' } })).body
  const next = 'another password'

  const refused = await send('POST', '/api/v1/auth/password', { token, body: { current: 'wrong', next } })
  t.like(refused.body, { status: 422, errors: [{ path: 'current' }] })
  t.is((await send('POST', '/api/v1/auth/password', { token, body: { current, next: 'short' } })).status, 422)
  t.is((await send('POST', '/api/v1/auth/password', { token, body: { current, next } })).status, 204)
  t.is((await send('GET', '/api/v1/users/me', { token })).status, 200)
  for (const old of [other, key]) t.is((await send('GET', '/api/v1/users/me', { token: old })).status, 401)
  t.is((await send('POST', '/api/v1/auth/token', { body: { email, password: current } })).status, 401)
  t.is((await send('POST', '/api/v1/auth/token', { body: { email, password: next } })).status, 200)
})

test('logging out revokes the token it came with, at once and in every process', async (t) => {
  const one = await start(t)
  const { email, password: right, token } = await one.enter()
  const two = await startApi(t, { place: one.place })
  const other = (await two.send('POST', '/api/v1/auth/token', { body: { email, password: right } })).body.token
  t.is((await one.send('POST', '/api/v1/auth/logout', { token })).status, 204)
  for (const api of [one, two]) {
    t.is((await api.send('GET', '/api/v1/users/me', { token })).status, 401)
    t.is((await api.send('GET', '/api/v1/users/me', { token: other })).status, 200)
  }
})

test('an API key is shown once, works as a token, is listed without its secret and can be revoked', async (t) => {
  const { send, enter } = await start(t)
  const { token } = await enter()
  const made = await send('POST', '/api/v1/auth/api-keys', { token, body: { name: ' laptop ' } })
  t.is(made.status, 201)
  t.like(made.body, { name: 'laptop', expiresAt: null, lastUsedAt: null })
  t.regex(made.body.key, /^gk_[\w-]{43}$/)
  t.is(made.headers.get('cache-control'), 'no-store')
  t.is((await send('GET', '/api/v1/users/me', { token: made.body.key })).status, 200)

  const { key: _secret, ...shown } = made.body
  const listed = await eventually(async () => {
    const { body } = await send('GET', '/api/v1/auth/api-keys', { token })
    return body.data[0].lastUsedAt !== null && body
  })
  t.deepEqual(listed, { data: [{ ...shown, lastUsedAt: listed.data[0].lastUsedAt }], nextCursor: null })

  const stranger = await enter()
  const path = `/api/v1/auth/api-keys/${made.body.id}`
  t.is((await send('DELETE', path, { token: stranger.token })).status, 404)
  t.is((await send('DELETE', path, { token })).status, 204)
  t.is((await send('DELETE', path, { token })).status, 404)
  t.is((await send('GET', '/api/v1/users/me', { token: made.body.key })).status, 401)
  t.is((await send('DELETE', '/api/v1/auth/api-keys/not-an-id', { token })).status, 404)
})

test('a key can expire, and not in the past', async (t) => {
  const { send, enter } = await start(t)
  const { token } = await enter()
  const body = { name: 'guest', expiresAt: new Date(Date.now() + 86_400_000).toISOString() }
  t.is((await send('POST', '/api/v1/auth/api-keys', { token, body })).body.expiresAt, body.expiresAt)
  for (const expiresAt of ['2020-01-01T00:00:00Z', 'tomorrow', 7]) {
    const past = await send('POST', '/api/v1/auth/api-keys', { token, body: { name: 'guest', expiresAt } })
    t.like(past.body, { status: 422, errors: [{ path: 'expiresAt' }] })
  }
})

test('keys are paged newest first, stable under inserts', async (t) => {
  const { send, enter } = await start(t)
  const { token } = await enter()
  for (const name of ['a', 'b', 'c']) await send('POST', '/api/v1/auth/api-keys', { token, body: { name } })
  const names = ({ body }: { body: { data: { name: string }[] } }) => body.data.map(({ name }) => name)
  const first = await send('GET', '/api/v1/auth/api-keys?limit=2', { token })
  t.deepEqual(names(first), ['c', 'b'])
  await send('POST', '/api/v1/auth/api-keys', { token, body: { name: 'd' } })
  const second = await send('GET', `/api/v1/auth/api-keys?limit=2&cursor=${first.body.nextCursor}`, { token })
  t.deepEqual(names(second), ['a'])
  t.is(second.body.nextCursor, null)
})

test('a ticket is given to whoever is logged in, for 30 s', async (t) => {
  const { send, enter, tickets } = await start(t)
  const { token, id } = await enter()
  const answer = await send('POST', '/api/v1/auth/ws-tickets', { token })
  t.is(answer.status, 201)
  t.true(Math.abs(Date.parse(answer.body.expiresAt) - Date.now() - 30_000) < 25_000)
  t.is((await tickets.redeem(answer.body.ticket))?.id, id)
  t.is(await tickets.redeem(answer.body.ticket), undefined)
  t.is((await send('POST', '/api/v1/auth/ws-tickets')).status, 401)
})
