import test from 'ava'
import { createOwnerScope } from '../../../lib/sharing/owner-scope.ts'
import { createKnex } from '../../../lib/store/knex.ts'
import { eventually } from '../../helpers/context.ts'
import { isolated } from '../../helpers/services.ts'

test('one whose many statements wait for a connection delays the first of another by one statement', async (t) => {
  const { databaseUrl, schema } = await isolated(t)
  const owners = createOwnerScope()
  const knex = createKnex({ databaseUrl, schema, poolMax: 1, ownerOf: owners.current })
  t.teardown(() => knex.destroy())
  const order: string[] = []
  const ask = (owner: string, n: number) =>
    owners.run(owner, async () => {
      await knex.transaction(async (trx) => {
        await trx.raw('select 1')
      })
      order.push(`${owner}${n}`)
    })
  await Promise.all([...Array.from({ length: 20 }, (_, n) => ask('a', n)), ask('b', 0)])
  t.true(order.indexOf('b0') <= 2, order.join(' '))
  t.is(order.length, 21)
})

test('connections that were lost or never came give their places back', async (t) => {
  const knex = createKnex({
    databaseUrl: 'postgres://nobody@127.0.0.1:1/none',
    schema: 'public',
    poolMax: 2,
    ownerOf: () => 'a'
  })
  t.teardown(() => knex.destroy())
  for (let n = 0; n < 6; n++) await t.throwsAsync(knex.raw('select 1'), { code: 'ECONNREFUSED' })
})

test('one person never has all connections, and the platform may', async (t) => {
  const { databaseUrl, schema } = await isolated(t)
  const owners = createOwnerScope()
  const knex = createKnex({ databaseUrl, schema, poolMax: 5, ownerOf: owners.current })
  t.teardown(() => knex.destroy())
  for (const [owner, most] of [
    ['a', 2],
    ['', 5]
  ] as const) {
    let open = 0
    let mostOpen = 0
    const one = () =>
      knex.transaction(async (trx) => {
        mostOpen = Math.max(mostOpen, ++open)
        // Opening a connection takes a busy machine longer than a statement: the first to come wait for all that may.
        await eventually(async () => mostOpen >= most)
        await trx.raw('select pg_sleep(0.05)')
        open--
      })
    await Promise.all(Array.from({ length: 12 }, () => owners.run(owner, one)))
    t.is(mostOpen, most)
  }
})
