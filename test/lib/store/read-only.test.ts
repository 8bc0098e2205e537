import test from 'ava'
import { isOutage } from '../../../lib/errors/outage.ts'
import { createKnex } from '../../../lib/store/knex.ts'
import { eventually } from '../../helpers/context.ts'
import { isolated } from '../../helpers/services.ts'

test('a pool leaves a server that has become read-only, also with what only reads', async (t) => {
  const place = await isolated(t)
  const knex = createKnex({ databaseUrl: place.databaseUrl, schema: place.schema, poolMax: 2 })
  t.teardown(() => knex.destroy())
  await knex.raw('create table t (n int)')
  /** The connections of the pool, after `sql` on each of them. */
  async function everywhere(sql: string): Promise<number[]> {
    let arrived = 0
    return await Promise.all(
      [1, 2].map(() =>
        knex.transaction(async (trx) => {
          arrived++
          await eventually(async () => arrived === 2)
          const { rows } = await trx.raw('select pg_backend_pid() as pid')
          await trx.raw(sql)
          return rows[0].pid as number
        })
      )
    )
  }
  // As those of a primary that was replaced.
  const old = await everywhere('set session default_transaction_read_only = on')
  // A connection that is younger than a second has been where the address leads.
  await new Promise((resolve) => setTimeout(resolve, 1_100))

  t.true(isOutage(await t.throwsAsync(knex('t').insert({ n: 1 }), { code: '25006' })))
  const now = await everywhere('select 1')
  t.false(now.some((pid) => old.includes(pid)))
  await knex('t').insert({ n: 1 })
})

test('a server that stays read-only is asked again over few connections', async (t) => {
  const place = await isolated(t)
  const url = new URL(place.databaseUrl)
  url.searchParams.set('options', '-c default_transaction_read_only=on')
  const knex = createKnex({ databaseUrl: url.href, schema: place.schema, poolMax: 1 })
  t.teardown(() => knex.destroy())
  const pids = new Set<number>()
  const startedAt = performance.now()
  for (let n = 0; n < 100; n++) {
    await t.throwsAsync(knex.raw('create table t (n int)'), { code: '25006' })
    pids.add((await knex.raw('select pg_backend_pid() as pid')).rows[0].pid)
  }
  t.true(pids.size <= 2 + (performance.now() - startedAt) / 1_000, `${pids.size} connections`)
})
