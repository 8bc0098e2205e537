import { Redis } from 'ioredis'
import test from 'ava'
import { isOutage } from '../../lib/outage.ts'
import { createKnex } from '../../lib/store/knex.ts'
import { createIsolation } from '../helpers/services.ts'
import { createTcpProxy } from '../helpers/tcp-proxy.ts'

const coded = (code: string) => Object.assign(new Error('whatever'), { code })

test('services that are away are told by network code, SQLSTATE class, name or words, however deep', (t) => {
  for (const code of ['ECONNREFUSED', 'EPIPE', '08006', '57P01', '53300', '40001', '40P01', '25P03'])
    t.true(isOutage(coded(code)), code)
  for (const words of [
    'Connection terminated unexpectedly',
    'Client was closed and is not queryable',
    'LOADING Redis is'
  ]) {
    t.true(isOutage(new Error(words)), words)
  }
  t.true(isOutage(new Error('outer', { cause: new Error('inner', { cause: coded('ECONNRESET') }) })))
  t.true(isOutage(new AggregateError([new Error('no'), coded('ECONNREFUSED')])))
})

test('a database that falls silent is an outage, and the next query goes over a new connection', async (t) => {
  const place = await createIsolation()
  const proxy = await createTcpProxy(place.databaseUrl)
  const knex = createKnex({ databaseUrl: proxy.url, schema: place.schema, statementMs: 300 })
  t.teardown(async () => {
    await knex.destroy()
    await proxy.close()
    await place.remove()
  })
  await knex.raw('select 1')
  proxy.freeze()
  const silent = await t.throwsAsync(knex.raw('select 1'))
  t.true(isOutage(silent), silent?.message)
  proxy.restore()
  await t.notThrowsAsync(knex.raw('select 1'))
  // One that only takes too long is ended by the server.
  t.like(await t.throwsAsync(knex.raw('select pg_sleep(5)')), { code: '57014' })
})

test('mistakes are no outages', (t) => {
  for (const error of [
    new TypeError('x is undefined'),
    coded('23505'),
    coded('22P02'),
    coded('42P01'),
    'ECONNREFUSED',
    null,
    undefined
  ]) {
    t.false(isOutage(error))
  }
})

test('what knex and ioredis throw when nobody listens is an outage', async (t) => {
  const knex = createKnex({ databaseUrl: 'postgres://nobody@127.0.0.1:1/none', schema: 'public' })
  t.true(isOutage(await t.throwsAsync(knex.raw('select 1'))))
  await knex.destroy()
  const redis = new Redis('redis://127.0.0.1:1', {
    maxRetriesPerRequest: 0,
    lazyConnect: true,
    retryStrategy: () => null
  })
  redis.on('error', () => undefined)
  t.true(isOutage(await t.throwsAsync(redis.get('x'))))
  redis.disconnect()
})

test('a query whose connection is cut, and the one after it, fail as outages', async (t) => {
  const place = await createIsolation()
  t.teardown(place.remove)
  const knex = createKnex({ databaseUrl: place.databaseUrl, schema: place.schema, poolMax: 1 })
  for (let i = 0; i < 20; i++) {
    t.true(isOutage(await t.throwsAsync(knex.raw('select pg_terminate_backend(pg_backend_pid())'))))
    const next = await knex.raw('select 1').then(
      () => undefined,
      (error: unknown) => error
    )
    t.true(next === undefined || isOutage(next))
  }
  await knex.destroy()
})
