import test from 'ava'
import type { Actor } from '../../../lib/access/actor.ts'
import { etagOf } from '../../../lib/etag.ts'
import { ip, startAuth } from '../../helpers/auth.ts'

const person = (name: string) => ({ email: `${name}@example.org`, password: 'correct horse battery', name })

async function start(t: Parameters<typeof startAuth>[0]) {
  const auth = await startAuth(t)
  async function enter(name: string, role: 'user' | 'admin' = 'user'): Promise<Actor> {
    const { token, user } = await auth.accounts.register(person(name))
    if (role === 'admin') await auth.knex('users').where({ id: user.id }).update({ role })
    return (await auth.authenticator.authenticate(token)) as Actor
  }
  return { ...auth, enter }
}

test('people see themselves, administrators see everybody', async (t) => {
  const { users, enter } = await start(t)
  const [ada, bob, root] = [await enter('ada'), await enter('bob'), await enter('root', 'admin')]
  t.is((await users.find(ada, ada.id)).name, 'ada')
  t.is((await users.find(root, ada.id)).name, 'ada')
  await t.throwsAsync(users.find(ada, bob.id), { message: /not found/ })
  await t.throwsAsync(users.find(root, 'not-an-id'), { message: /not found/ })
  t.deepEqual(
    (await users.list(ada, { limit: 25 })).data.map(({ id }) => id),
    [ada.id]
  )
  const all = await users.list(root, { limit: 2 })
  t.deepEqual(
    all.data.map(({ id }) => id),
    [root.id, bob.id]
  )
  t.truthy(all.nextCursor)
})

test('a change is told by an event, and one that changes nothing is not', async (t) => {
  const { users, enter, knex } = await start(t)
  const ada = await enter('ada')
  const changed = await users.update(ada, ada.id, { name: 'Ada L.', email: 'ada.l@example.org' })
  t.like(changed, { name: 'Ada L.', email: 'ada.l@example.org' })
  t.deepEqual(await users.update(ada, ada.id, { name: 'Ada L.' }), changed)
  const events = await knex('events').where({ type: 'user.updated' })
  t.is(events.length, 1)
  t.deepEqual(events[0].data, changed)
})

test('a change made against an old representation is refused', async (t) => {
  const { users, enter } = await start(t)
  const ada = await enter('ada')
  const etag = etagOf(await users.find(ada, ada.id))
  const changed = await users.update(ada, ada.id, { name: 'first' }, etag)
  await t.throwsAsync(users.update(ada, ada.id, { name: 'second' }, etag), { message: /has changed/ })
  await users.update(ada, ada.id, { name: 'third' }, `"something", ${etagOf(changed ?? {})}`)
  await users.update(ada, ada.id, { name: 'fourth' }, '*')
  t.is((await users.find(ada, ada.id)).name, 'fourth')
})

test('an e-mail of somebody else is refused in any case, one of their own is not', async (t) => {
  const { users, enter } = await start(t)
  const ada = await enter('ada')
  await enter('bob')
  await t.throwsAsync(users.update(ada, ada.id, { email: 'BOB@example.org' }), { message: /is taken/ })
  t.is((await users.update(ada, ada.id, { email: 'ADA@example.org' }))?.email, 'ADA@example.org')
})

test('only administrators change roles, and the last one stays', async (t) => {
  const { users, enter, authenticator } = await start(t)
  const [ada, root] = [await enter('ada'), await enter('root', 'admin')]
  await t.throwsAsync(users.update(ada, ada.id, { role: 'admin' }), { message: /Only administrators/ })
  await t.throwsAsync(users.update(root, root.id, { role: 'user' }), { message: /last administrator/ })
  await t.throwsAsync(users.remove(root, root.id), { message: /last administrator/ })
  await users.update(root, ada.id, { role: 'admin' })
  t.is((await authenticator.recheck(ada.credential))?.role, 'admin')
})

test('two administrators who demote each other at once do not both succeed', async (t) => {
  const { users, enter, knex } = await start(t)
  const [one, two] = [await enter('one', 'admin'), await enter('two', 'admin')]
  const ends = await Promise.allSettled([
    users.update(one, two.id, { role: 'user' }),
    users.update(two, one.id, { role: 'user' })
  ])
  t.deepEqual(ends.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  t.is((await knex('users').where({ role: 'admin' })).length, 1)
})

test('a new password takes the current one, but for an administrator who sets somebody else\u2019s', async (t) => {
  const { users, accounts, authenticator, enter } = await start(t)
  const [ada, root] = [await enter('ada'), await enter('root', 'admin')]
  const password = 'another password'
  await t.throwsAsync(users.update(ada, ada.id, { password }), { message: /wrong/ })
  t.is(await users.update(ada, ada.id, { password, currentPassword: 'nope' }), undefined)
  const second = await accounts.login(person('ada'), { ip })
  await users.update(ada, ada.id, { password, currentPassword: person('ada').password })
  t.truthy(await authenticator.recheck(ada.credential))
  t.is(await authenticator.authenticate(second?.token ?? ''), undefined)

  await users.update(root, ada.id, { password: 'set by an administrator' })
  t.is(await authenticator.recheck(ada.credential), undefined)
  t.truthy(await accounts.login({ ...person('ada'), password: 'set by an administrator' }, { ip }))
})

test('who is deleted leaves only audits without a name and an event on their channel', async (t) => {
  const { users, authenticator, enter, knex, cancelledFor } = await start(t)
  const ada = await enter('ada')
  const course = { id: ada.id, owner_id: ada.id, title: 'hers' }
  await knex('courses').insert(course)
  const audit = { id: ada.id, user_id: ada.id, action: 'api_call', outcome: 'allowed', created_at: new Date() }
  await knex('rate_limit_audits').insert(audit)

  await users.remove(ada, ada.id)
  t.deepEqual(cancelledFor, [ada.id])
  t.is(await authenticator.recheck(ada.credential), undefined)
  for (const table of ['users', 'sessions', 'courses']) t.is((await knex(table)).length, 0, table)
  t.is((await knex('rate_limit_audits').first()).user_id, null)
  const events = await knex('events')
  t.is(events.length, 1)
  t.like(events[0], { type: 'user.deleted', user_id: null, subject: ada.id, channels: [`user:${ada.id}`] })
})
