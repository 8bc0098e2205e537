import test from 'ava'
import type { Finding } from '../../../lib/admin/suspicion-rules.ts'
import { createSuspicionRules } from '../../../lib/admin/suspicion-rules.ts'
import { findSuspects, suspicionScore } from '../../../lib/admin/suspicious.ts'
import { type SuspiciousCode, thresholdsSchema } from '../../../lib/schemas/suspicious.ts'
import { createStatistics } from '../../../lib/store/audit/statistics.ts'
import { dayMs, hourMs, minuteMs } from '../../../lib/time/time-ranges.ts'
import { createSuspiciousStore } from '../../../lib/store/audit/suspicious.ts'
import { type AuditRow, auditRow, insertAudits } from '../../helpers/audits.ts'
import { contextForFile, newUser } from '../../helpers/context.ts'
import { rollUpsOver } from '../../helpers/roll-ups.ts'

const context = contextForFile(test)

/** Every test has a day of its own, so that nobody's rows are another's. */
let days = 0
const ownDay = () => new Date(Date.UTC(2025, 0, 30 * ++days))

function rulesWith(thresholds: Record<string, number> = {}) {
  const { knex } = context()
  return createSuspicionRules({
    store: createSuspiciousStore({ knex }),
    figures: createStatistics({ knex }),
    thresholds: thresholdsSchema.parse(thresholds)
  })
}

async function reasonsOf(day: Date, userId: string, thresholds: Record<string, number> = {}) {
  const range = { from: day, to: new Date(day.getTime() + dayMs) }
  const suspects = await findSuspects(rulesWith(thresholds), range)
  return suspects.find((suspect) => suspect.userId === userId)?.reasons ?? []
}

const add = (rows: AuditRow[]) => insertAudits(context().knex, rows)
const times = (count: number, row: (n: number) => AuditRow) => Array.from({ length: count }, (_, n) => row(n))
const after = (day: Date, ms: number) => new Date(day.getTime() + ms)

test('blocked_share: more than half of twenty requests, and neither half of them nor most of nineteen', async (t) => {
  const day = ownDay()
  const [tripping, half, few] = await Promise.all([newUser(context()), newUser(context()), newUser(context())])
  const rows = (user_id: string, blocked: number, allowed: number) =>
    times(blocked + allowed, (n) =>
      auditRow({ user_id, outcome: n < blocked ? 'blocked' : 'allowed', created_at: after(day, n * 30 * minuteMs) })
    )
  await add([...rows(tripping, 11, 9), ...rows(half, 10, 10), ...rows(few, 18, 1)])
  t.deepEqual(await reasonsOf(day, tripping), [{ code: 'blocked_share', observed: 0.55, threshold: 0.5 }])
  t.deepEqual(await reasonsOf(day, half), [])
  t.deepEqual(await reasonsOf(day, few), [])
})

test('blocked_burst: thirty refused within a minute across two calendar minutes, and not one of them later', async (t) => {
  const day = ownDay()
  const [tripping, slow] = await Promise.all([newUser(context()), newUser(context())])
  const start = hourMs + 31_000 // half in this minute, half in the next
  const blocked = (user_id: string, lastMs: number) => [
    ...times(29, (n) => auditRow({ user_id, outcome: 'blocked', created_at: after(day, start + n * 2_000) })),
    auditRow({ user_id, outcome: 'blocked', created_at: after(day, start + lastMs) }),
    ...times(40, () => auditRow({ user_id, created_at: after(day, start) }))
  ]
  await add([...blocked(tripping, 59_999), ...blocked(slow, 60_000)])
  t.deepEqual(await reasonsOf(day, tripping), [{ code: 'blocked_burst', observed: 30, threshold: 30 }])
  t.deepEqual(await reasonsOf(day, slow), [])
})

test('many_addresses: ten within any hour, and neither nine nor ten over a little more', async (t) => {
  const day = ownDay()
  const [tripping, nine, slow, network] = await Promise.all(Array.from({ length: 4 }, () => newUser(context())))
  const from = (user_id: string | undefined, count: number, everyMs: number, ip: (n: number) => string) =>
    times(count, (n) =>
      auditRow({ user_id: user_id as string, ip: ip(n), created_at: after(day, 90 * minuteMs + n * everyMs) })
    )
  await add([
    ...from(tripping, 10, 6 * minuteMs, (n) => `192.0.2.${n}`),
    ...from(nine, 30, minuteMs, (n) => `198.51.100.${n % 9}`),
    ...from(slow, 10, 7 * minuteMs, (n) => `203.0.113.${n}`),
    // One subscriber of IPv6 has as many addresses as they like.
    ...from(network, 30, minuteMs, (n) => `2001:db8:1:2::${n.toString(16)}`)
  ])
  t.deepEqual(await reasonsOf(day, tripping as string), [{ code: 'many_addresses', observed: 10, threshold: 10 }])
  for (const other of [nine, slow, network]) t.deepEqual(await reasonsOf(day, other as string), [])
})

test('shared_address: twenty users of one address within any hour, and not the one who came later', async (t) => {
  const day = ownDay()
  const users = await Promise.all(Array.from({ length: 21 }, () => newUser(context())))
  const others = await Promise.all(Array.from({ length: 19 }, () => newUser(context())))
  await add([
    ...users.map((user_id, n) =>
      auditRow({
        user_id,
        ip: '192.0.2.99',
        created_at: after(day, 45 * minuteMs + n * 3 * minuteMs + (n === 20 ? hourMs : 0))
      })
    ),
    ...others.map((user_id) => auditRow({ user_id, ip: '192.0.2.98', created_at: after(day, hourMs) }))
  ])
  for (const user of users.slice(0, 20)) {
    t.deepEqual(await reasonsOf(day, user), [{ code: 'shared_address', observed: 20, threshold: 20 }])
  }
  t.deepEqual(await reasonsOf(day, users[20] as string), [])
  t.deepEqual(await reasonsOf(day, others[0] as string), [])
})

test('token_spike and cost_spike: five times the mean of the week before, from a least amount, with a past', async (t) => {
  const day = ownDay()
  const [tripping, usual, little, newcomer, dormant] = await Promise.all(
    Array.from({ length: 5 }, () => newUser(context()))
  )
  const used = (user_id: string | undefined, daysBefore: number, tokens: number, costUsd: number) =>
    auditRow({
      user_id: user_id as string,
      action: 'chat_completion',
      tokens,
      costUsd,
      created_at: after(day, 13 * hourMs - daysBefore * dayMs)
    })
  await add([
    // A mean of 2,000 tokens and 0.02 USD: five times that is 10,000 and 0.10 USD.
    used(tripping, 1, 7_000, 0.07),
    used(tripping, 7, 7_000, 0.07),
    used(tripping, 0, 10_001, 0.100001),
    used(usual, 1, 7_000, 0.07),
    used(usual, 7, 7_000, 0.07),
    used(usual, 0, 10_000, 0.1),
    used(little, 1, 10, 0.0001),
    used(little, 0, 9_999, 0.099999),
    used(newcomer, 0, 50_000, 5),
    used(dormant, 8, 10, 0.0001),
    used(dormant, 0, 10_000, 0.1)
  ])
  const codes = async (user: string | undefined) =>
    (await reasonsOf(day, user as string)).map(({ code }) => code).toSorted()
  t.deepEqual(await codes(tripping), ['cost_spike', 'token_spike'])
  t.deepEqual(
    (await reasonsOf(day, tripping as string)).find(({ code }) => code === 'token_spike'),
    { code: 'token_spike', observed: 10_001, threshold: 10_000 }
  )
  t.deepEqual(await codes(usual), [])
  t.deepEqual(await codes(little), [])
  t.deepEqual(await codes(newcomer), [])
  t.deepEqual(await codes(dormant), ['cost_spike', 'token_spike'])

  // The same once everything is rolled up.
  while (await rollUpsOver(context().knex).fold(1_000));
  t.deepEqual(await codes(tripping), ['cost_spike', 'token_spike'])
  t.deepEqual(await codes(usual), [])
  t.deepEqual(await codes(dormant), ['cost_spike', 'token_spike'])
})

test('failed_logins: ten within any ten minutes, and not over a moment more', async (t) => {
  const day = ownDay()
  const [tripping, slow] = await Promise.all([newUser(context()), newUser(context())])
  const failed = (user_id: string, lastMs: number) =>
    Array.from({ length: 10 }, (_, n) => ({
      user_id,
      ip: `192.0.2.${n}`,
      created_at: after(day, 55 * minuteMs + (n === 9 ? lastMs : n * minuteMs))
    }))
  await context()
    .knex('failed_logins')
    .insert([...failed(tripping, 10 * minuteMs - 1), ...failed(slow, 10 * minuteMs)])
  t.deepEqual(await reasonsOf(day, tripping), [{ code: 'failed_logins', observed: 10, threshold: 10 }])
  t.deepEqual(await reasonsOf(day, slow), [])
})

test('thresholds are taken from the configuration, and nothing outside of the range counts', async (t) => {
  const day = ownDay()
  const user = await newUser(context())
  await add(times(10, (n) => auditRow({ user_id: user, outcome: 'blocked', created_at: after(day, n * 1_000) })))
  t.deepEqual(await reasonsOf(day, user), [])
  t.deepEqual(await reasonsOf(day, user, { blocked_burst: 10 }), [
    { code: 'blocked_burst', observed: 10, threshold: 10 }
  ])
  t.deepEqual(await reasonsOf(after(day, 1_000), user, { blocked_burst: 10 }), [])
  t.deepEqual(
    (await reasonsOf(day, user, { blocked_share_requests: 10, blocked_share: 0.9 })).map(({ code }) => code),
    ['blocked_share']
  )
})

test('the score grows with every reason and every number, and the most suspicious come first', async (t) => {
  const reason = (observed: number, threshold = 10, code: SuspiciousCode = 'blocked_burst'): Finding => ({
    userId: 'x',
    code,
    observed,
    threshold
  })
  t.is(suspicionScore([reason(10)]), 50)
  t.is(suspicionScore([reason(10), reason(10)]), 75)
  for (let observed = 10; observed < 200; observed += 10) {
    t.true(suspicionScore([reason(observed + 10)]) > suspicionScore([reason(observed)]))
    t.true(suspicionScore([reason(observed), reason(10)]) > suspicionScore([reason(observed)]))
    t.true(suspicionScore([reason(observed), reason(observed)]) < 100)
  }
  const found = [
    { ...reason(10), userId: 'mild' },
    { ...reason(30), userId: 'wild' },
    { ...reason(20), userId: 'wild' },
    { ...reason(10, 10, 'failed_logins'), userId: 'wild' }
  ]
  const suspects = await findSuspects([{ windowMs: 1, find: async () => found }], {
    from: new Date(0),
    to: new Date(1)
  })
  t.deepEqual(
    suspects.map(({ userId, reasons }) => [userId, reasons.map(({ code, observed }) => `${code} ${observed}`)]),
    [
      ['wild', ['blocked_burst 30', 'failed_logins 10']],
      ['mild', ['blocked_burst 10']]
    ]
  )
})

test('addresses are counted across midnight, and in a range of many days as in a short one', async (t) => {
  const day = ownDay()
  const user = await newUser(context())
  await add(
    times(10, (n) =>
      auditRow({ user_id: user, ip: `192.0.2.${n}`, created_at: after(day, dayMs - 25 * minuteMs + n * 5 * minuteMs) })
    )
  )
  // Other rows, so that the days into which the range is cut begin at several times of the day.
  for (let n = 1; n < 5; n++) {
    await add([auditRow({ created_at: after(day, -n * dayMs + n * 5 * hourMs) })])
    const range = { from: after(day, -n * dayMs), to: after(day, 5 * dayMs) }
    const suspect = (await findSuspects(rulesWith(), range)).find(({ userId }) => userId === user)
    t.deepEqual(suspect?.reasons, [{ code: 'many_addresses', observed: 10, threshold: 10 }])
  }
})
