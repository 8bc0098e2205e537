import { createHmac } from 'node:crypto'
import test from 'ava'
import { createTokens } from '../../../lib/auth/tokens.ts'
import { newId } from '../../../lib/ids.ts'
import { eventually } from '../../helpers/context.ts'
import { ip, startAuth, testSecret } from '../../helpers/auth.ts'

const ada = { email: 'ada@example.org', password: 'correct horse battery', name: 'Ada' }

async function start(t: Parameters<typeof startAuth>[0]) {
  const auth = await startAuth(t)
  const { user, token } = await auth.accounts.register(ada)
  const actor = await auth.authenticator.authenticate(token)
  if (!actor) throw new Error('the new token should be good')
  return { ...auth, user, token, actor }
}

test('an API key authenticates until it is revoked, and only its hash is stored', async (t) => {
  const { apiKeys, authenticator, actor, knex } = await start(t)
  const { id, key, hint } = await apiKeys.create(actor, { name: 'laptop' })
  t.regex(key, /^gk_[\w-]{43}$/)
  t.true(key.endsWith(hint))
  t.deepEqual(await authenticator.authenticate(key), { ...actor, credential: { kind: 'api_key', id } })
  t.notRegex(JSON.stringify(await knex('api_keys')), new RegExp(key.slice(3)))

  await apiKeys.revoke(actor, id)
  t.is(await authenticator.authenticate(key), undefined)
  await t.throwsAsync(apiKeys.revoke(actor, id), { message: /was not found/ })
})

test('a key is good until it expires and cannot be made to expire in the past', async (t) => {
  const { apiKeys, authenticator, actor, knex } = await start(t)
  const { id, key } = await apiKeys.create(actor, {
    name: 'guest',
    expiresAt: new Date(Date.now() + 60_000).toISOString()
  })
  t.truthy(await authenticator.authenticate(key))
  await knex('api_keys')
    .where({ id })
    .update({ expires_at: new Date(Date.now() - 1) })
  // Nobody was told: it was found good just now, and is not asked about again for less than a second.
  await eventually(async () => (await authenticator.authenticate(key)) === undefined)
  await t.throwsAsync(apiKeys.create(actor, { name: 'late', expiresAt: '2020-01-01T00:00:00.000Z' }), {
    message: '1 field is wrong'
  })
})

test('the use of a key is noted', async (t) => {
  const { apiKeys, authenticator, actor, knex } = await start(t)
  const { key } = await apiKeys.create(actor, { name: 'laptop' })
  await authenticator.authenticate(key)
  let used: Date | null = null
  while (!used) used = (await knex('api_keys').first('last_used_at')).last_used_at
  t.true(Date.now() - used.getTime() < 60_000)
})

test('keys are listed newest first by page, for their owner only, without secrets and revoked ones', async (t) => {
  const { apiKeys, accounts, authenticator, actor } = await start(t)
  const made = []
  for (const name of ['one', 'two', 'three', 'four']) made.push(await apiKeys.create(actor, { name }))
  await apiKeys.revoke(actor, made[2]?.id ?? '')
  const other = await authenticator.authenticate((await accounts.register({ ...ada, email: 'bob@example.org' })).token)
  t.deepEqual(await apiKeys.list(other as never, { limit: 25 }), { data: [], nextCursor: null })
  await t.throwsAsync(apiKeys.revoke(other as never, made[0]?.id ?? ''), { message: /was not found/ })

  const first = await apiKeys.list(actor, { limit: 2 })
  t.deepEqual(
    first.data.map(({ name }) => name),
    ['four', 'two']
  )
  t.false(first.data.some((key) => 'key' in key))
  const cursor = Buffer.from(first.nextCursor ?? '', 'base64url').toString()
  const second = await apiKeys.list(actor, { limit: 2, cursor })
  t.deepEqual(
    second.data.map(({ name }) => name),
    ['one']
  )
  t.is(second.nextCursor, null)
})

test('what is no token of ours is nobody', async (t) => {
  const { authenticator, token, user, actor } = await start(t)
  const [head = '', body = '', signature = ''] = token.split('.')
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const sign = (text: string, secret = testSecret) => createHmac('sha256', secret).update(text).digest('base64url')
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
  const forged = (header: object, payload: object, secret?: string) => {
    const text = `${part(header)}.${part(payload)}`
    return `${text}.${sign(text, secret)}`
  }
  const header = { alg: 'HS256', typ: 'JWT' }
  t.is((await authenticator.authenticate(forged(header, claims)))?.id, user.id)
  const bad = {
    empty: '',
    words: 'not a token',
    dots: '..',
    unsigned: `${part({ alg: 'none' })}.${body}.`,
    truncated: `${head}.${body}.${signature.slice(0, -2)}`,
    'other secret': forged(header, claims, 'another secret that is also long enough'),
    'other algorithm': forged({ alg: 'HS512' }, claims),
    expired: forged(header, { ...claims, exp: Math.floor(Date.now() / 1000) - 1 }),
    'for ever': forged(header, { ...claims, exp: undefined }),
    'other audience': forged(header, { ...claims, aud: 'console' }),
    'other issuer': forged(header, { ...claims, iss: 'elsewhere' }),
    'no session': forged(header, { ...claims, jti: newId() }),
    'odd session': forged(header, { ...claims, jti: `' or 1=1` }),
    'other user': forged(header, { ...claims, sub: newId() }),
    'numbers for names': forged(header, { ...claims, sub: 1, jti: {} }),
    'critical extension': forged({ ...header, crit: ['x'], x: 1 }, claims),
    'key of the right shape': `gk_${'a'.repeat(43)}`,
    'key too short': 'gk_abc',
    'long rubbish': 'x'.repeat(100_000),
    nul: '\u0000'
  }
  for (const [name, rubbish] of Object.entries(bad)) {
    t.is(await authenticator.authenticate(rubbish), undefined, name)
  }
  t.is((await authenticator.authenticate(token))?.credential.id, actor.credential.id)
})

test('a console token opens the console only, and an API token does not', async (t) => {
  const { accounts, authenticator, token, knex } = await start(t)
  await t.throwsAsync(accounts.login(ada, { ip, audience: 'console' }), { message: /not an administrator/ })
  t.is((await knex('sessions')).length, 1)
  await knex('users').update({ role: 'admin' })
  const cookie = await accounts.login(ada, { ip, audience: 'console' })
  t.truthy(cookie)
  t.true(Math.abs((cookie?.expiresAt.getTime() ?? 0) - Date.now() - 3_600_000) < 60_000)
  t.is(await authenticator.authenticate(cookie?.token ?? ''), undefined)
  t.like(await authenticator.authenticate(cookie?.token ?? '', 'console'), { credential: { kind: 'console' } })
  t.is(await authenticator.authenticate(token, 'console'), undefined)
})

test('a token outlives neither its session row nor its user', async (t) => {
  const { authenticator, token, actor, knex } = await start(t)
  await knex('sessions').update({ expires_at: new Date(Date.now() - 1) })
  await eventually(async () => (await authenticator.authenticate(token)) === undefined)
  const again = createTokens({ secret: testSecret })
  const expiresAt = new Date(Date.now() + 60_000)
  await knex('sessions').update({ expires_at: expiresAt })
  const { id: userId, credential } = actor
  t.truthy(
    await authenticator.authenticate(await again.sign({ userId, sessionId: credential.id, audience: 'api', expiresAt }))
  )
  await knex('users').where({ id: userId }).delete()
  t.is(await authenticator.authenticate(token), undefined)
})

test('a busy credential costs one query, also for requests that come at once, and its revocation holds at once', async (t) => {
  const { accounts, authenticator, actor, knex } = await start(t)
  const { token } = (await accounts.login(ada, { ip })) as { token: string }
  let queries = 0
  knex.on('query', () => queries++)
  const found = await Promise.all(Array.from({ length: 50 }, () => authenticator.authenticate(token)))
  t.true(found.every((one) => one?.id === actor.id))
  t.is(queries, 1)
  const mine = found[0] as NonNullable<(typeof found)[0]>
  await accounts.logout(mine)
  t.is(await authenticator.authenticate(token), undefined)
})

test('a role that changed is seen by the next request', async (t) => {
  const { users, authenticator, token, actor, knex } = await start(t)
  await authenticator.authenticate(token)
  const admin = { ...actor, role: 'admin' as const }
  await users.update(admin, actor.id, { role: 'admin' })
  t.is((await authenticator.authenticate(token))?.role, 'admin')
  t.is((await knex('users').first('role')).role, 'admin')
})

test('sessions that ran out long ago are forgotten with the next login', async (t) => {
  const { accounts, actor, knex } = await start(t)
  await knex('sessions').update({ expires_at: new Date(Date.now() - 2 * 86_400_000) })
  await accounts.login(ada, { ip })
  const left = await knex('sessions').where({ user_id: actor.id })
  t.is(left.length, 1)
  t.not(left[0].id, actor.credential.id)
})

test('a ticket works once, for its own credential, and is stored hashed for 30 s', async (t) => {
  const { tickets, actor, redis, place } = await start(t)
  const { ticket, expiresAt } = await tickets.issue(actor)
  t.true(Math.abs(expiresAt.getTime() - Date.now() - 30_000) < 25_000)
  const keys = await redis.keys(`${place.prefix}*`)
  t.is(keys.length, 1)
  t.false(keys[0]?.includes(ticket))
  t.true((await redis.ttl(keys[0] ?? '')) > 20)

  const answers = await Promise.all(Array.from({ length: 20 }, () => tickets.redeem(ticket)))
  t.deepEqual(answers.filter(Boolean), [actor])
  t.is(await tickets.redeem('unknown'), undefined)
})

test('a ticket is worth nothing once its credential is revoked', async (t) => {
  const { tickets, actor, accounts } = await start(t)
  const { ticket } = await tickets.issue(actor)
  await accounts.logout(actor)
  t.is(await tickets.redeem(ticket), undefined)
})

test('a credential that was just revoked makes no key', async (t) => {
  const { apiKeys, actor, accounts, knex } = await start(t)
  await accounts.logout(actor)
  await t.throwsAsync(apiKeys.create(actor, { name: 'too late' }), { message: /no longer valid/ })
  t.is((await knex('api_keys')).length, 0)
})
