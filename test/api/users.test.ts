import test from 'ava'
import { startApi } from '../helpers/api.ts'
import { placeForFile } from '../helpers/auth.ts'

const place = placeForFile(test)
const start = (t: Parameters<typeof startApi>[0]) => startApi(t, { place: place() })

test('people read and list themselves, administrators everybody, and others are not found', async (t) => {
  const { send, enter } = await start(t)
  const [ada, bob, root] = [await enter('ada'), await enter('bob'), await enter('root', 'admin')]
  const me = await send('GET', '/api/v1/users/me', { token: ada.token })
  t.like(me.body, { id: ada.id, email: ada.email, role: 'user' })
  t.false('passwordHash' in me.body)
  t.deepEqual((await send('GET', `/api/v1/users/${ada.id}`, { token: ada.token })).body, me.body)
  t.is((await send('GET', `/api/v1/users/${bob.id}`, { token: ada.token })).status, 404)
  t.is((await send('PATCH', `/api/v1/users/${bob.id}`, { token: ada.token, body: { name: 'x' } })).status, 404)
  t.is((await send('DELETE', `/api/v1/users/${bob.id}`, { token: ada.token })).status, 404)
  t.deepEqual((await send('GET', '/api/v1/users', { token: ada.token })).body, { data: [me.body], nextCursor: null })

  t.is((await send('GET', `/api/v1/users/${ada.id}`, { token: root.token })).status, 200)
  const page = await send('GET', '/api/v1/users?limit=2', { token: root.token })
  t.is(page.body.data.length, 2)
  t.truthy(page.body.nextCursor)
})

test('administrators create users and give roles, others may not', async (t) => {
  const { send, enter } = await start(t)
  const [ada, root] = [await enter('ada'), await enter('root', 'admin')]
  const body = { email: `new${ada.id}@example.org`, password: 'correct horse battery', name: 'New', role: 'admin' }
  t.is((await send('POST', '/api/v1/users', { token: ada.token, body })).status, 403)
  t.is((await send('POST', '/api/v1/users', { body })).status, 401)
  const made = await send('POST', '/api/v1/users', { token: root.token, body })
  t.is(made.status, 201)
  t.like(made.body, { email: body.email, role: 'admin' })
  t.is((await send('GET', made.headers.get('location') ?? '', { token: root.token })).status, 200)
  t.is((await send('POST', '/api/v1/users', { token: root.token, body })).status, 409)

  t.is((await send('PATCH', `/api/v1/users/${ada.id}`, { token: ada.token, body: { role: 'admin' } })).status, 403)
  const raised = await send('PATCH', `/api/v1/users/${ada.id}`, { token: root.token, body: { role: 'admin' } })
  t.is(raised.body.role, 'admin')
  t.is((await send('POST', '/api/v1/users', { token: ada.token, body: {} })).status, 422)
})

test('a change takes If-Match, and without it the last write wins', async (t) => {
  const { send, enter } = await start(t)
  const { id, token } = await enter('ada')
  const path = `/api/v1/users/${id}`
  const read = await send('GET', path, { token })
  const headers = { 'if-match': read.headers.get('etag') ?? '' }
  const changed = await send('PATCH', path, { token, body: { name: 'one' }, headers })
  t.is(changed.status, 200)
  t.not(changed.headers.get('etag'), read.headers.get('etag'))
  const late = await send('PATCH', path, { token, body: { name: 'two' }, headers })
  t.is(late.status, 412)
  t.is(late.headers.get('etag'), changed.headers.get('etag'))
  t.is((await send('PATCH', path, { token, body: { name: 'three' } })).body.name, 'three')
  t.is((await send('GET', path, { token, headers: { 'if-none-match': '"x"' } })).status, 200)
})

test('one\u2019s own password is changed with the current one, and somebody else\u2019s e-mail cannot be taken', async (t) => {
  const { send, enter } = await start(t)
  const [ada, bob] = [await enter('ada'), await enter('bob')]
  const path = `/api/v1/users/${ada.id}`
  const password = 'another password'
  const patch = (body: object) => send('PATCH', path, { token: ada.token, body })
  t.like((await patch({ password })).body, { status: 422, errors: [{ path: 'currentPassword' }] })
  t.like((await patch({ password, currentPassword: 'wrong' })).body, {
    status: 422,
    errors: [{ path: 'currentPassword' }]
  })
  t.is((await patch({ password, currentPassword: ada.password })).status, 200)
  t.is((await send('POST', '/api/v1/auth/token', { body: { email: ada.email, password } })).status, 200)
  t.is((await patch({ email: bob.email })).status, 409)
  t.is((await patch({ email: 'no address', nickname: 'x' })).body.errors.length, 2)
})

test('who deletes themselves is gone with every credential', async (t) => {
  const { send, enter, cancelledFor } = await start(t)
  const ada = await enter('ada')
  const { key } = (await send('POST', '/api/v1/auth/api-keys', { token: ada.token, body: { name: 'k' } })).body
  t.is((await send('DELETE', `/api/v1/users/${ada.id}`, { token: ada.token })).status, 204)
  for (const token of [ada.token, key]) t.is((await send('GET', '/api/v1/users/me', { token })).status, 401)
  const login = { email: ada.email, password: ada.password }
  t.is((await send('POST', '/api/v1/auth/token', { body: login })).status, 401)
  t.deepEqual(cancelledFor, [ada.id])
})
