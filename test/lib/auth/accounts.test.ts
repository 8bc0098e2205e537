import test from 'ava'
import type { Actor } from '../../../lib/access/actor.ts'
import { ip, startAuth } from '../../helpers/auth.ts'
import { eventually } from '../../helpers/context.ts'

const ada = { email: 'Ada@Example.org', password: 'correct horse battery', name: 'Ada' }

async function authenticated(auth: Awaited<ReturnType<typeof startAuth>>, token: string): Promise<Actor> {
  const actor = await auth.authenticator.authenticate(token)
  if (!actor) throw new Error('expected the token to be good')
  return actor
}

test('someone who registers is logged in and an event tells of them without their password', async (t) => {
  const auth = await startAuth(t)
  const { user, token, expiresAt } = await auth.accounts.register(ada)
  t.like(user, { email: 'Ada@Example.org', name: 'Ada', role: 'user' })
  t.true(Math.abs(expiresAt.getTime() - Date.now() - 12 * 3_600_000) < 60_000)
  t.like(await auth.authenticator.authenticate(token), { id: user.id, role: 'user', credential: { kind: 'session' } })

  const events = await auth.knex('events').select('*')
  t.is(events.length, 1)
  t.like(events[0], { type: 'user.created', user_id: user.id, subject: user.id, channels: [`user:${user.id}`] })
  t.deepEqual(events[0].data, user)
  t.notRegex(JSON.stringify(events), /scrypt|correct horse/)
})

test('an e-mail is unique without regard to case, also when two register at once', async (t) => {
  const { accounts, knex } = await startAuth(t)
  const attempts = await Promise.allSettled(
    ['ada@example.org', 'ADA@example.org', 'Ada@Example.Org'].map((email) => accounts.register({ ...ada, email }))
  )
  t.is(attempts.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const attempt of attempts) if (attempt.status === 'rejected') t.like(attempt.reason, { code: 'conflict' })
  t.is((await knex('users')).length, 1)
  t.is((await knex('events')).length, 1)
})

test('login takes the e-mail in any case and only the right password', async (t) => {
  const auth = await startAuth(t)
  const { user } = await auth.accounts.register(ada)
  const session = await auth.accounts.login({ email: 'ADA@EXAMPLE.ORG', password: ada.password }, { ip })
  t.is((await authenticated(auth, session?.token ?? '')).id, user.id)
  t.is(await auth.accounts.login({ email: ada.email, password: 'wrong horse battery' }, { ip }), undefined)
  t.is(await auth.accounts.login({ email: 'nobody@example.org', password: ada.password }, { ip }), undefined)
})

test('a wrong password is noted with its address, for people who exist only', async (t) => {
  const auth = await startAuth(t)
  const { user } = await auth.accounts.register(ada)
  await auth.accounts.login({ ...ada, password: 'wrong horse battery' }, { ip })
  await auth.accounts.login({ email: 'nobody@example.org', password: ada.password }, { ip })
  await auth.accounts.login(ada, { ip })
  const noted = await eventually(async () => {
    const rows = await auth.knex('failed_logins')
    return rows.length > 0 && rows
  })
  t.is(noted.length, 1)
  t.like(noted[0], { user_id: user.id, ip })
})

test('a changed password ends every other credential, and the old password no longer works', async (t) => {
  const auth = await startAuth(t)
  const { token } = await auth.accounts.register(ada)
  const actor = await authenticated(auth, token)
  const other = await auth.accounts.login(ada, { ip })
  const { key } = await auth.apiKeys.create(actor, { name: 'laptop' })
  const heard = await listen(auth)

  t.is(await auth.accounts.changePassword(actor, { current: 'wrong', next: 'another password' }), undefined)
  t.true(await auth.accounts.changePassword(actor, { current: ada.password, next: 'another password' }))

  t.truthy(await auth.authenticator.authenticate(token))
  t.is(await auth.authenticator.authenticate(other?.token ?? ''), undefined)
  t.is(await auth.authenticator.authenticate(key), undefined)
  t.is(await auth.accounts.login(ada, { ip }), undefined)
  t.truthy(await auth.accounts.login({ ...ada, password: 'another password' }, { ip }))
  t.deepEqual(await heard.next(), { userId: actor.id, credentialId: null })
})

test('logging out ends the token it came with and no other, and tells who holds connections', async (t) => {
  const auth = await startAuth(t)
  const { token } = await auth.accounts.register(ada)
  const other = await auth.accounts.login(ada, { ip })
  const actor = await authenticated(auth, token)
  const heard = await listen(auth)
  await auth.accounts.logout(actor)
  t.is(await auth.authenticator.authenticate(token), undefined)
  t.truthy(await auth.authenticator.authenticate(other?.token ?? ''))
  t.deepEqual(await heard.next(), { userId: actor.id, credentialId: actor.credential.id })
})

test('a login that overlaps a change of password leaves no session behind', async (t) => {
  const auth = await startAuth(t)
  const { token, user } = await auth.accounts.register(ada)
  const actor = await authenticated(auth, token)
  const logins = Array.from({ length: 8 }, () => auth.accounts.login(ada, { ip }))
  const change = auth.accounts.changePassword(actor, { current: ada.password, next: 'another password' })
  await Promise.all([...logins, change])
  const good = await auth.knex('sessions').where({ user_id: user.id }).whereNull('revoked_at')
  t.deepEqual(
    good.map(({ id }) => id),
    [actor.credential.id]
  )
})

/** Messages on the channel of revocations, in order. */
async function listen({ redis, place }: Awaited<ReturnType<typeof startAuth>>) {
  const subscriber = redis.duplicate()
  await subscriber.subscribe(`${place.prefix}:revoked`)
  const message = new Promise<unknown>((resolve) => {
    subscriber.once('message', (_channel, text) => resolve(JSON.parse(text)))
  })
  return {
    async next() {
      try {
        return await message
      } finally {
        subscriber.disconnect()
      }
    }
  }
}
