import test, { type ExecutionContext } from 'ava'
import type { RegistrationMode } from '../../lib/auth/accounts.ts'
import { newId } from '../../lib/ids.ts'
import { startApi } from '../helpers/api.ts'
import { ip, placeForFile } from '../helpers/auth.ts'

const place = placeForFile(test)
const password = 'correct horse battery'
const newEmail = () => `${newId()}@example.org`
const base = '/api/v1/users/invitations'

/** An installation with an administrator, whose registration is as told. */
async function start(t: ExecutionContext, registration: RegistrationMode) {
  const api = await startApi(t, { place: place(), registration })
  const { send, accounts } = api
  const enter = async (role: 'user' | 'admin') => {
    const email = newEmail()
    await accounts.create({ email, password, name: '', role })
    const session = await accounts.login({ email, password }, { ip })
    return session?.token as string
  }
  const token = await enter('admin')
  return {
    ...api,
    token,
    enter,
    invite: async (body: object = {}) => (await send('POST', base, { token, body })).body,
    register: (body: object) =>
      send('POST', '/api/v1/auth/register', { body: { email: newEmail(), password, ...body } })
  }
}

test('where registration is by invitation, a code makes one account, and every other try names the field', async (t) => {
  const { invite, register, send, token, knex } = await start(t, 'invite')
  const missing = await register({})
  t.is(missing.status, 422)
  t.deepEqual(
    missing.body.errors.map(({ path }: { path: string }) => path),
    ['invitation']
  )

  const made = await send('POST', base, { token, body: {} })
  t.is(made.status, 201)
  const { id, code, expiresAt } = made.body
  t.is(made.headers.get('location'), `${base}/${id}`)
  t.is(made.headers.get('cache-control'), 'no-store')
  t.like(made.body, { email: null, usedAt: null, usedBy: null, hint: code.slice(-4) })
  t.true(Date.parse(expiresAt) > Date.now() + 13 * 24 * 3_600_000)
  const stored = await knex('invitations').where({ id }).first()
  t.false(JSON.stringify({ ...stored, code_hash: stored.code_hash.toString() }).includes(code))

  const right = await register({ invitation: code })
  t.is(right.status, 201)
  const other = await invite({ email: 'Somebody@example.org' })
  const late = await invite({ expiresAt: new Date(Date.now() + 60_000).toISOString() })
  await knex('invitations')
    .where({ id: late.id })
    .update({ expires_at: new Date(Date.now() - 1) })
  const revoked = await invite()
  t.is((await send('DELETE', `${base}/${revoked.id}`, { token })).status, 204)
  t.is((await send('DELETE', `${base}/${revoked.id}`, { token })).status, 404)

  const answers = []
  for (const invitation of [code, 'inv_unknown', '', late.code, revoked.code, other.code]) {
    const { status, body } = await register({ invitation })
    t.is(status, 422, invitation)
    answers.push(body.errors)
  }
  t.is(new Set(answers.map((errors) => JSON.stringify(errors))).size, 1)
  t.is((await register({ invitation: other.code, email: 'somebody@EXAMPLE.org' })).status, 201)

  // Page by page; other tests make theirs meanwhile.
  const listed: { id: string; usedBy: string | null }[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body }: { body: ReturnType<typeof JSON.parse> } = await send('GET', `${base}?limit=2${cursor}`, { token })
    t.notRegex(JSON.stringify(body.data), /inv_/)
    listed.push(...body.data)
    cursor = body.nextCursor === null ? null : `&cursor=${body.nextCursor}`
  }
  const own = new Set([id, other.id, late.id, revoked.id])
  t.deepEqual(
    listed.filter((one) => own.has(one.id)).map((one) => one.id),
    [late.id, other.id, id]
  )
  t.is(listed.find((one) => one.id === id)?.usedBy, right.body.user.id)
})

test('a hundred registrations with one code at once make one account', async (t) => {
  const { invite, register, knex } = await start(t, 'invite')
  const { code } = await invite()
  const emails = Array.from({ length: 100 }, newEmail)
  const answers = await Promise.all(emails.map((email) => register({ email, invitation: code })))
  t.is(answers.filter(({ status }) => status === 201).length, 1)
  t.true(answers.every(({ status }) => [201, 422, 503].includes(status))) // 503: too many hashes for one address
  t.true(answers.some(({ status }) => status === 422))
  t.is((await knex('users').whereIn('email', emails)).length, 1)
})

test('a registration that fails for another reason leaves its invitation unused', async (t) => {
  const { invite, register } = await start(t, 'invite')
  const email = newEmail()
  t.is((await register({ email, invitation: (await invite()).code })).status, 201)
  const { code } = await invite()
  t.is((await register({ email, invitation: code })).status, 409)
  t.is((await register({ invitation: code })).status, 201)
})

test('where registration is off nobody registers, and administrators still make accounts', async (t) => {
  const { invite, register, send, token } = await start(t, 'off')
  const { code } = await invite()
  for (const body of [{}, { invitation: code }]) {
    const answer = await register(body)
    t.like(answer.body, { status: 403, code: 'forbidden' })
    t.regex(answer.body.detail, /administrator/)
  }
  const email = newEmail()
  t.is((await send('POST', '/api/v1/users', { token, body: { email, password } })).status, 201)
  t.is((await send('POST', '/api/v1/auth/token', { body: { email, password } })).status, 200)
  t.is((await send('GET', '/')).status, 200)
})

test('where registration is open no code is asked for, and one that is sent is kept for later', async (t) => {
  const { invite, register, send, token } = await start(t, 'open')
  const { code } = await invite()
  t.is((await register({})).status, 201)
  t.is((await register({ invitation: code })).status, 201)
  const { body: list } = await send('GET', `${base}?limit=100`, { token })
  t.is(list.data.find((one: { hint: string }) => code.endsWith(one.hint)).usedAt, null)
})

test('invitations are for administrators, and wrong fields are named', async (t) => {
  const { enter, send, token } = await start(t, 'invite')
  const user = await enter('user')
  for (const [method, path] of [
    ['GET', base],
    ['POST', base],
    ['DELETE', `${base}/${newId()}`]
  ] as const) {
    t.is((await send(method, path)).status, 401)
    t.is((await send(method, path, { token: user, ...(method === 'POST' ? { body: {} } : {}) })).status, 403)
  }
  const wrong = await send('POST', base, { token, body: { email: 'x', expiresAt: '2020-01-01T00:00:00Z', uses: 2 } })
  t.is(wrong.status, 422)
  t.deepEqual(wrong.body.errors.map(({ path }: { path: string }) => path).sort(), ['email', 'uses'])
  const past = await send('POST', base, { token, body: { expiresAt: '2020-01-01T00:00:00Z' } })
  t.deepEqual(past.body.errors, [{ path: 'expiresAt', message: 'must be in the future' }])
  t.is((await send('DELETE', `${base}/nothing`, { token })).status, 404)
})
