import { join } from 'node:path'
import test from 'ava'
import { createBrokerProbe } from '../../api/health/broker-probe.ts'
import { createHealth, type Probe, type ProbeResult } from '../../api/health/health.ts'
import { createProbes, restsOn } from '../../api/health/probes.ts'
import { databaseProbe, redisProbe } from '../../api/health/write-probes.ts'
import { createRedis } from '../../lib/redis/client.ts'
import { createHealthCheckStore } from '../../lib/store/operations/health-checks.ts'
import { createKnex } from '../../lib/store/knex.ts'
import { createWorkerStore } from '../../lib/store/operations/workers.ts'
import { rabbitmqctl } from '../../scripts/services/rabbitmqctl.ts'
import { contextForFile, eventually } from '../helpers/context.ts'
import { startPrivate } from '../helpers/private-services.ts'
import { createReadOnlyRole } from '../helpers/read-only-role.ts'

const context = contextForFile(test)

test('a database that is read-only is degraded, the workers that cannot be heard are unknown, and nobody else is blamed', async (t) => {
  const { isolation, redis, prefix, log } = context()
  const role = await createReadOnlyRole(isolation.databaseUrl)
  const knex = createKnex({ databaseUrl: role.databaseUrl, schema: isolation.schema, log })
  t.teardown(async () => {
    await knex.destroy()
    await role.remove()
  })
  const workers = createWorkerStore({ knex })
  const { probes, close } = createProbes({
    knex,
    redis,
    prefix,
    queues: [],
    liveWorkers: () => workers.liveWorkers(5_000),
    rabbitmqUrl: 'off',
    modelStates: async () => ({}),
    relayLag: async () => ({ unplaced: 0, unplacedSeconds: 0, sinks: [] }),
    failingWork: async () => [],
    countDeadLetters: async () => ({})
  })
  t.teardown(close)
  const health = () => createHealth({ probes, vital: 'postgres', restsOn })
  await eventually(async () => {
    await workers.heartbeat('one', ['rag_search'])
    return (await health().check()).status === 'ok'
  })

  await role.freeze()
  const refused = health()
  const down = await eventually(async () => {
    const report = await refused.check()
    return report.components.postgres?.problem === 'read_only' && report.components.workers?.count === 0 && report
  })
  t.is(down.status, 'degraded')
  t.like(down.components, {
    postgres: { state: 'degraded', problem: 'read_only' },
    workers: { state: 'unknown', because: 'postgres', count: 0 },
    redis: { state: 'ok' },
    relay: { state: 'ok' }
  })

  // Well again, heartbeats need a moment.
  await role.thaw()
  const back = await eventually(async () => {
    const report = await refused.check()
    return report.components.postgres?.state === 'ok' && report
  })
  t.is(back.components.workers?.state, 'unknown')
  // With a database that takes writes a worker that is silent is gone.
  const { components } = await eventually(async () => {
    const report = await health().check()
    return report.components.postgres?.state === 'ok' && report
  })
  t.like(components, { postgres: { state: 'ok' }, workers: { state: 'down' } })
})

test('whatever else keeps a database from being written is told too', async (t) => {
  const { knex } = context()
  const store = createHealthCheckStore({ knex, timeoutMs: 5_000 })
  const refusing = (code: string) =>
    databaseProbe({
      ...store,
      write: async () => void (await knex.raw(`do $$ begin raise exception 'no' using errcode = '${code}'; end $$`))
    })()
  t.deepEqual(await refusing('53100'), { state: 'degraded', problem: 'disk_full' })
  t.deepEqual(await refusing('58030'), { state: 'degraded', problem: 'refuses_writes' })
  const away = databaseProbe({
    write: () => Promise.reject(new Error('x')),
    read: () => Promise.reject(new Error('x'))
  })
  await t.throwsAsync(away())
})

test('a component whose ground is not well is unknown, with what it said', async (t) => {
  const well: Probe = async () => ({ state: 'ok' })
  const states: Record<string, ProbeResult> = { redis: { state: 'down' }, queues: { state: 'degraded', depth: 3 } }
  const report = await createHealth({
    probes: {
      postgres: well,
      redis: async () => states.redis as ProbeResult,
      queues: async () => states.queues as ProbeResult
    },
    vital: 'postgres',
    restsOn
  }).check()
  t.like(report.components, { redis: { state: 'down' }, queues: { state: 'unknown', because: 'redis', depth: 3 } })
  t.is(report.status, 'degraded')
})

test('a Redis that answers and takes no writes is degraded', async (t) => {
  const { redisUrl } = await startPrivate(t, 'redis')
  const redis = createRedis(redisUrl, { kind: 'commands', name: 'test', log: context().log })
  t.teardown(() => redis.disconnect())
  const probe = redisProbe({ redis, prefix: 'test' })
  t.deepEqual(await probe(), { state: 'ok' })
  await redis.config('SET', 'min-replicas-to-write', '1')
  t.deepEqual(await probe(), { state: 'degraded', problem: 'refuses_writes', reply: 'NOREPLICAS' })
  await redis.config('SET', 'min-replicas-to-write', '0')
  await redis.config('SET', 'maxmemory', '1')
  t.deepEqual(await probe(), { state: 'degraded', problem: 'refuses_writes', reply: 'OOM' })
  await redis.config('SET', 'maxmemory', '0')
  t.deepEqual(await probe(), { state: 'ok' })
})

test('a broker under a memory alarm is degraded, and well when the alarm is over', async (t) => {
  t.timeout(180_000)
  const { rabbitmqUrl, dataDir } = await startPrivate(t, 'rabbitmq')
  const ctl = (...args: string[]) => rabbitmqctl(join(dataDir, 'rabbitmq'), process.env.PATH ?? '', args)
  const { probe, close } = createBrokerProbe({ url: rabbitmqUrl })
  t.teardown(close)
  t.deepEqual(await probe(), { state: 'ok' })
  t.deepEqual(await probe(), { state: 'ok' })
  await ctl('set_vm_memory_high_watermark', '0')
  const blocked = await eventually(async () => {
    const result = await probe()
    return result.state === 'degraded' && result
  })
  t.like(blocked, { state: 'degraded', problem: 'blocked' })
  t.regex(String(blocked.alarm), /memory/)
  await ctl('set_vm_memory_high_watermark', '0.6')
  await eventually(async () => (await probe()).state === 'ok')
})
