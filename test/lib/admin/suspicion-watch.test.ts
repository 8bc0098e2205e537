import test from 'ava'
import { createAdmin } from '../../../lib/admin/index.ts'
import { createLogger } from '../../../lib/logger.ts'
import { dayMs, minuteMs } from '../../../lib/time/time-ranges.ts'
import { startAdminWorkers } from '../../../workers/admin-workers.ts'
import { auditRow, insertAudits } from '../../helpers/audits.ts'
import { contextForFile, eventually, newUser } from '../../helpers/context.ts'

const context = contextForFile(test)
const start = Date.UTC(2026, 0, 10, 12)

const told = async (userId: string) =>
  await context()
    .knex('events')
    .where({ type: 'rate_limit.suspicious', user_id: userId })
    .orderBy('seq')
    .select('subject', 'data', 'channels')

/** So many refused requests within a second. */
const burst = (userId: string, atMs: number, count = 30) =>
  insertAudits(
    context().knex,
    Array.from({ length: count }, (_, n) =>
      auditRow({ user_id: userId, outcome: 'blocked', created_at: new Date(atMs + n) })
    )
  )

test.serial('a finding is told once however often and by however many it is seen, and a new one again', async (t) => {
  const watches = [1, 2, 3].map(() => createAdmin(context()).watch)
  const userId = await newUser(context())
  // The rule of the share of refused requests would find the same.
  await insertAudits(
    context().knex,
    Array.from({ length: 100 }, () => auditRow({ user_id: userId, created_at: new Date(start) }))
  )
  await burst(userId, start)
  for (let minute = 1; minute <= 4; minute++) {
    const now = new Date(start + minute * minuteMs)
    const looks = await Promise.all(watches.map(({ look }) => look(now)))
    t.is(looks.filter((seen) => seen !== undefined).length, 1, 'one of several looks')
    t.is(
      looks.find((seen) => seen !== undefined),
      1
    )
  }
  const [event, ...more] = await told(userId)
  t.deepEqual(more, [])
  t.is(event.subject, userId)
  t.deepEqual(event.channels, [`user:${userId}`])
  t.deepEqual(event.data, {
    userId,
    code: 'blocked_burst',
    observed: 30,
    threshold: 30,
    at: new Date(start + minuteMs).toISOString()
  })

  await burst(userId, start + 20 * minuteMs)
  for (let minute = 5; minute <= 22; minute++) await watches[0]?.look(new Date(start + minute * minuteMs))
  t.is((await told(userId)).length, 2)
})

test.serial('a spike is told once for its day', async (t) => {
  const { watch } = context().admin
  const userId = await newUser(context())
  const day = start + 3 * dayMs
  await insertAudits(context().knex, [
    auditRow({ user_id: userId, tokens: 10, created_at: new Date(day - dayMs) }),
    auditRow({ user_id: userId, tokens: 20_000, created_at: new Date(day) })
  ])
  for (const at of [day + minuteMs, day + 3 * 60 * minuteMs, day + 11 * 60 * minuteMs]) await watch.look(new Date(at))
  t.deepEqual(
    (await told(userId)).map(({ data }) => [data.code, data.at]),
    [['token_spike', '2026-01-13T00:00:00.000Z']]
  )
})

test.serial(
  'beside the jobs, figures are rolled up, the watch looks, and what is old goes without waiting',
  async (t) => {
    const { knex } = context()
    const admin = createAdmin({ ...context(), config: { ...context().config, auditRetentionDays: 30 } })
    await knex('suspicious_watch').update({ looked_at: null })
    const userId = await newUser(context())
    const old = Array.from({ length: 2_500 }, (_, n) =>
      auditRow({ user_id: userId, created_at: new Date(Date.now() - 31 * dayMs - n * 1_000) })
    )
    await insertAudits(knex, old)
    await knex('failed_logins').insert({ user_id: userId, ip: '192.0.2.1', created_at: old[0]?.created_at })
    const kept = auditRow({ user_id: userId, created_at: new Date(Date.now() - 29 * dayMs) })
    await insertAudits(knex, [kept])
    await burst(userId, Date.now() - 10_000)

    // Somebody holds one of the old rows, as a job does that completes it.
    const holder = await knex.transaction()
    t.teardown(() => holder.rollback())
    await holder.raw('set local idle_in_transaction_session_timeout = 0')
    await holder('rate_limit_audits').where({ id: old[7]?.id }).forUpdate()
    const workers = startAdminWorkers({ admin, log: createLogger({ level: 'silent', name: 'test' }) })
    t.teardown(workers.stop)
    const ids = () =>
      knex('rate_limit_audits')
        .where('created_at', '<', new Date(Date.now() - dayMs))
        .where({ user_id: userId })
        .pluck('id')
    await eventually(async () => (await ids()).length === 2)
    t.deepEqual(new Set([...(await ids()), kept.id, old[7]?.id]).size, 2)
    await holder.rollback()
    await eventually(async () => (await knex('failed_logins').where({ user_id: userId })).length === 0)
    await eventually(async () => (await knex('audit_deltas').select('id')).length === 0)
    await eventually(async () => (await told(userId)).length > 0)
    const range = { from: new Date(Date.now() - 60 * dayMs), to: new Date() }
    t.is((await admin.figures.statistics(range, 'day', userId)).totals.requests, 32)
  }
)
