import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ensureAdministrator, prepareAdmin } from '../../../lib/auth/administrator.ts'
import { jwtSecret } from '../../../lib/auth/jwt-secret.ts'
import { ip, startAuth } from '../../helpers/auth.ts'
import { eventually } from '../../helpers/context.ts'

/** One after another: each hashes at full cost, and all at once leave no thread to sign a session in its transaction. */
async function start(t: Parameters<typeof startAuth>[0]) {
  const auth = await startAuth(t)
  const config = {
    databaseUrl: auth.place.databaseUrl,
    databaseSchema: auth.place.schema,
    redisUrl: auth.place.redisUrl,
    redisPrefix: auth.place.prefix,
    adminEmail: 'admin@localhost',
    adminPassword: undefined as string | undefined
  }
  return { ...auth, config }
}

test.serial('the first start makes an administrator and tells the password that was made up', async (t) => {
  const { config, accounts, authenticator } = await start(t)
  const { email, apiKey, password } = await prepareAdmin(config)
  t.is(email, 'admin@localhost')
  t.like(await authenticator.authenticate(apiKey), { role: 'admin' })
  t.truthy(await accounts.login({ email, password: password ?? '' }, { ip, audience: 'console' }))
})

test.serial(
  'a start without the last one\u2019s key makes a new one, ends that within a second and keeps the others',
  async (t) => {
    const { config, authenticator, apiKeys, redis, place } = await start(t)
    const first = await prepareAdmin(config)
    const actor = await authenticator.authenticate(first.apiKey)
    if (!actor) throw new Error('the key should be good')
    const { key } = await apiKeys.create(actor, { name: 'mine' })
    const subscriber = redis.duplicate()
    t.teardown(async () => subscriber.disconnect())
    await subscriber.subscribe(`${place.prefix}:revoked`)
    const heard = new Promise((resolve) => subscriber.once('message', (_channel, text) => resolve(JSON.parse(text))))

    const second = await prepareAdmin(config)
    t.is(second.password, undefined)
    // This process heard of no revocation: it forgets a key by itself.
    await eventually(async () => (await authenticator.authenticate(first.apiKey)) === undefined)
    t.truthy(await authenticator.authenticate(second.apiKey))
    t.truthy(await authenticator.authenticate(key))
    t.deepEqual(await heard, { userId: actor.id, credentialId: actor.credential.id })
  }
)

test.serial('the key of the last start goes on while it holds', async (t) => {
  const { config, authenticator, apiKeys } = await start(t)
  const first = await prepareAdmin(config, 'gk_nobody has ever had this one')
  const second = await prepareAdmin(config, first.apiKey)
  t.is(second.apiKey, first.apiKey)
  const actor = await authenticator.authenticate(first.apiKey)
  if (!actor) throw new Error('the key should be good')
  await apiKeys.revoke(actor, actor.credential.id)
  const third = await prepareAdmin(config, first.apiKey)
  t.not(third.apiKey, first.apiKey)
  t.like(await authenticator.authenticate(third.apiKey), { role: 'admin' })
})

test.serial('a configured password is used and not told', async (t) => {
  const { config, accounts } = await start(t)
  const configured = { ...config, adminEmail: 'root@example.org', adminPassword: 'chosen by the operator' }
  const { email, password } = await prepareAdmin(configured)
  t.is(password, undefined)
  t.truthy(await accounts.login({ email, password: 'chosen by the operator' }, { ip, audience: 'console' }))
})

test.serial('servers that start together make one administrator', async (t) => {
  const { config, knex } = await start(t)
  await Promise.all([ensureAdministrator(config), ensureAdministrator(config), prepareAdmin(config)])
  t.is((await knex('users').where({ role: 'admin' })).length, 1)
})

test.serial('an account that was registered under the address is never promoted', async (t) => {
  const { config, accounts, knex } = await start(t)
  await accounts.register({ email: 'Admin@localhost', password: 'correct horse battery', name: '' })
  await t.throwsAsync(prepareAdmin(config), { message: /ADMIN_EMAIL admin@localhost belongs to an account/ })
  t.is((await knex('users').where({ role: 'admin' })).length, 0)
})

test.serial('an administrator who changed their address stays the administrator', async (t) => {
  const { config, knex } = await start(t)
  await prepareAdmin(config)
  await knex('users').update({ email: 'me@example.org' })
  t.is((await prepareAdmin(config)).email, 'me@example.org')
  t.is((await knex('users')).length, 1)
})

test.serial(
  'the secret of tokens is made once, readable to its owner only, and shared by processes that start together',
  async (t) => {
    const dataDir = join(await mkdtemp(join(tmpdir(), 'goals-')), 'data')
    t.teardown(() => rm(join(dataDir, '..'), { recursive: true }))
    const secrets = await Promise.all(Array.from({ length: 5 }, () => jwtSecret({ jwtSecret: undefined, dataDir })))
    t.is(new Set(secrets).size, 1)
    const secret = secrets[0] ?? ''
    t.true(Buffer.byteLength(secret) >= 32)
    const file = join(dataDir, 'jwt.secret')
    t.is((await stat(file)).mode & 0o777, 0o600)
    t.is((await readFile(file, 'utf8')).trim(), secret)
    t.is(await jwtSecret({ jwtSecret: 'given', dataDir }), 'given')
  }
)
