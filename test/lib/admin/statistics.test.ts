import { seededRandom } from '@goals/offline-provider'
import test from 'ava'
import type { Statistics } from '../../../lib/schemas/admin.ts'
import { newId } from '../../../lib/ids.ts'
import { type Bucket, createStatistics } from '../../../lib/store/audit/statistics.ts'
import { dayMs, hourMs, minuteMs, type Range } from '../../../lib/time/time-ranges.ts'
import { formatUsd } from '../../../lib/money.ts'
import { type AuditRow, auditRow, insertAudits, insertCalls, randomAudits } from '../../helpers/audits.ts'
import { contextForFile, newUser } from '../../helpers/context.ts'
import { rollUpsOver } from '../../helpers/roll-ups.ts'

const context = contextForFile(test)

const unitMs = { minute: minuteMs, hour: hourMs, day: dayMs }
const within =
  ({ from, to }: Range) =>
  (row: { created_at: Date }) =>
    row.created_at >= from && row.created_at < to

/** What a plain count over these rows says. */
function count(rows: AuditRow[]): Statistics['totals'] {
  const sum = (name: 'prompt_tokens' | 'completion_tokens' | 'total_tokens') =>
    rows.reduce((total, row) => total + (row[name] ?? 0), 0)
  const outcomes = (name: string) => rows.filter(({ outcome }) => outcome === name).length
  return {
    requests: rows.length,
    allowed: outcomes('allowed'),
    blocked: outcomes('blocked'),
    degraded: outcomes('degraded'),
    blockedRate: rows.length === 0 ? 0 : outcomes('blocked') / rows.length,
    promptTokens: sum('prompt_tokens'),
    completionTokens: sum('completion_tokens'),
    totalTokens: sum('total_tokens'),
    costUsd: formatUsd(rows.reduce((total, { cost_pico }) => total + BigInt(cost_pico ?? 0), 0n))
  }
}

function expected(rows: AuditRow[], bucket: Bucket) {
  const start = (row: AuditRow) => Math.floor(row.created_at.getTime() / unitMs[bucket]) * unitMs[bucket]
  return {
    totals: count(rows),
    byAction: Array.from(
      Map.groupBy(rows, ({ action }) => action),
      ([action, own]) => ({ action, ...count(own) })
    ).toSorted((a, b) => (a.action < b.action ? -1 : 1)),
    timeline: Array.from(Map.groupBy(rows, start), ([at, own]) => {
      const { requests, blocked, totalTokens, costUsd } = count(own)
      return { at: new Date(at).toISOString(), requests, blocked, totalTokens, costUsd }
    }).toSorted((a, b) => (a.at < b.at ? -1 : 1))
  }
}

test.serial('figures agree with a plain count whatever is rolled up, changed or removed in between', async (t) => {
  const { knex } = context()
  const [figures, rollUps, random] = [createStatistics({ knex }), rollUpsOver(knex), seededRandom(11)]
  const users = await Promise.all(Array.from({ length: 6 }, () => newUser(context())))
  const [from, to] = [new Date('2026-02-26T20:11:12.345Z'), new Date('2026-03-02T03:14:15.926Z')]
  let rows: AuditRow[] = []

  async function agree(): Promise<void> {
    for (let n = 0; n < 3; n++) {
      const start = new Date(from.getTime() + Math.floor((random() * 1.2 - 0.1) * (to.getTime() - from.getTime())))
      const range = { from: start, to: new Date(start.getTime() + Math.floor(random() ** 2 * 5 * dayMs) + 1) }
      const inside = rows.filter(within(range))
      for (const userId of [undefined, users[n % users.length] as string]) {
        for (const bucket of ['minute', 'hour', 'day'] as const) {
          const { byModel: _, byAction, ...rest } = await figures.statistics(range, bucket, userId)
          const own = inside.filter(({ user_id }) => userId === undefined || user_id === userId)
          const sorted = byAction.toSorted((a, b) => (a.action < b.action ? -1 : 1))
          t.deepEqual({ ...rest, byAction: sorted }, expected(own, bucket))
        }
      }
      for (const by of ['requests', 'tokens', 'cost', 'blocked'] as const) {
        const found = await figures.topConsumers(range, by, 100)
        const people = Map.groupBy(
          inside.filter(({ user_id }) => user_id !== null),
          ({ user_id }) => user_id as string
        )
        t.is(found.length, people.size)
        for (const { userId, email, ...numbers } of found) {
          const { requests, blocked, totalTokens, costUsd } = count(people.get(userId) ?? [])
          t.deepEqual(numbers, { requests, blocked, totalTokens, costUsd })
          t.is(email, `${userId}@example.test`)
        }
        const key = { requests: 'requests', tokens: 'totalTokens', cost: 'costUsd', blocked: 'blocked' }[by]
        const order = found.map((one) => Number(one[key as 'requests']))
        t.deepEqual(
          order,
          order.toSorted((a, b) => b - a)
        )
      }
    }
  }

  await agree()
  for (let round = 0; round < 3; round++) {
    const added = randomAudits(300, { users: [...users, null], from, to, random })
    await insertAudits(knex, added)
    rows.push(...added)
    if (round % 2 === 0) while (await rollUps.fold(70));
    await agree()

    // As calls do when they are settled: tokens and cost come later.
    for (const row of rows.filter(() => random() < 0.1)) {
      const isNew = row.prompt_tokens === null
      Object.assign(row, { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10, cost_pico: '1500000' })
      const { prompt_tokens, completion_tokens, cost_pico } = row
      if (isNew) await insertCalls(knex, [row])
      else {
        await knex('model_call_shares')
          .where({ call_id: row.id })
          .update({ prompt_tokens, completion_tokens, cost_pico })
      }
    }
    const gone = new Set(rows.filter(() => random() < 0.15).map(({ id }) => id))
    for (const table of ['rate_limit_audits', 'model_calls']) {
      await knex(table)
        .whereIn('id', [...gone])
        .delete()
    }
    rows = rows.filter(({ id }) => !gone.has(id))
    await agree()
    await rollUps.fold(40)
    await agree()
  }

  // People who go leave their audits without a name; their calls stay in the ledger.
  const leaving = users.pop() as string
  await knex('users').where({ id: leaving }).delete()
  rows = rows.map((row) => (row.user_id === leaving ? { ...row, user_id: null } : row))
  await agree()
  await rollUps.fold(1_000)
  await agree()

  await knex('rate_limit_audits').delete()
  await knex('model_calls').delete()
  rows = []
  while (await rollUps.fold(100));
  await agree()
  for (const table of ['audit_deltas', 'audit_minutes', 'audit_hours', 'audit_user_hours', 'audit_user_days']) {
    t.deepEqual(await knex(table).select('*'), [], table)
  }
})

test.serial('truncating the audits empties their figures, and truncating the ledger what was spent', async (t) => {
  const { knex } = context()
  const userId = await newUser(context())
  const [figures, rollUps] = [createStatistics({ knex }), rollUpsOver(knex)]
  const range = { from: new Date(0), to: new Date('2100-01-01T00:00:00Z') }
  const totals = async () => (await figures.statistics(range, 'day', undefined)).totals
  await insertAudits(knex, [auditRow({ user_id: userId, tokens: 5 }), auditRow({ user_id: userId })])
  await rollUps.fold(1)
  await knex.raw('truncate rate_limit_audits')
  t.like(await totals(), { requests: 0, totalTokens: 5 })
  await knex.raw('truncate model_calls cascade')
  t.like(await totals(), { requests: 0, totalTokens: 0 })
})

test('what is rolled back was never counted, and what is committed is counted at once', async (t) => {
  const { knex } = context()
  const figures = createStatistics({ knex })
  const userId = await newUser(context())
  const range = { from: new Date(Date.now() - dayMs), to: new Date(Date.now() + dayMs) }
  const requests = async () => (await figures.statistics(range, 'hour', userId)).totals.requests
  await t.throwsAsync(
    knex.transaction(async (trx) => {
      await trx('rate_limit_audits').insert(auditRow({ user_id: userId }))
      throw new Error('changed my mind')
    })
  )
  t.is(await requests(), 0)
  await knex.transaction(async (trx) => {
    await trx('rate_limit_audits').insert(auditRow({ user_id: userId }))
    t.is(await requests(), 0)
  })
  t.is(await requests(), 1)
})

test('readers see every row exactly once while deltas are folded beside them', async (t) => {
  const { knex } = context()
  const [figures, rollUps] = [createStatistics({ knex }), rollUpsOver(knex)]
  const userId = await newUser(context())
  const range = { from: new Date(Date.now() - dayMs), to: new Date(Date.now() + dayMs) }
  let writing = true
  let written = 0
  const writer = (async () => {
    for (; written < 60; written++) await insertAudits(knex, [auditRow({ user_id: userId })])
    writing = false
  })()
  const folders = [1, 2].map(async () => {
    while (writing) await rollUps.fold(3)
  })
  let last = 0
  while (writing) {
    const before = written
    const { totals } = await figures.statistics(range, 'hour', userId)
    t.true(totals.requests >= before && totals.requests <= written + 1, `${before} ${totals.requests} ${written}`)
    t.true(totals.requests >= last)
    last = totals.requests
  }
  await Promise.all([writer, ...folders])
  t.is((await figures.statistics(range, 'hour', userId)).totals.requests, 60)
})

test('models are counted from the ledger, for everybody and for one user', async (t) => {
  const { knex } = context()
  const [figures, rollUps, random] = [createStatistics({ knex }), rollUpsOver(knex), seededRandom(5)]
  const users = await Promise.all([newUser(context()), newUser(context())])
  const [from, to] = [new Date('2026-05-01T01:02:03Z'), new Date('2026-05-02T22:20:10Z')]
  const calls = Array.from({ length: 200 }, () => {
    const created_at = new Date(from.getTime() + Math.floor(random() * (to.getTime() - from.getTime())))
    const usage = { prompt_tokens: Math.floor(random() * 1_000), completion_tokens: Math.floor(random() * 100) }
    return { id: newId(), model: `model-${Math.floor(random() * 3)}`, created_at, ...usage }
  })
  const cost = ({ prompt_tokens }: { prompt_tokens: number }) => prompt_tokens * 7
  await knex.batchInsert(
    'model_calls',
    calls.map((call) => ({ ...call, kind: 'embedding', state: 'intended', prompt_tokens: 0, completion_tokens: 0 }))
  )
  await knex.batchInsert(
    'model_call_shares',
    // Each call has two parts, of both users or twice of the same.
    calls.flatMap(({ id, created_at }, n) =>
      [0, 1].map((ordinal) => ({
        call_id: id,
        ordinal,
        job_id: newId(),
        user_id: users[n % 3 === 0 ? 0 : ordinal] as string,
        action: 'embedding_generation',
        step: 's',
        input_hash: 'h',
        run: 1,
        created_at
      }))
    )
  )
  await rollUps.fold(50)
  for (const call of calls) {
    const { id, prompt_tokens, completion_tokens } = call
    await knex('model_calls')
      .where({ id })
      .update({ state: 'settled', prompt_tokens, completion_tokens, cost_pico: cost(call) })
    await knex('model_call_shares')
      .where({ call_id: id, ordinal: 0 })
      .update({ prompt_tokens, cost_pico: cost(call) })
    await knex('model_call_shares').where({ call_id: id, ordinal: 1 }).update({ completion_tokens })
  }
  for (const range of [
    { from, to },
    { from: new Date('2026-05-01T06:30:00Z'), to: new Date('2026-05-02T01:01:30.5Z') }
  ]) {
    const inside = calls.filter(within(range))
    const modelsOf = (parts: { model: string; id: string; prompt: number; completion: number; cost: number }[]) =>
      Array.from(
        Map.groupBy(parts, ({ model }) => model),
        ([model, own]) => {
          const sum = (name: 'prompt' | 'completion' | 'cost') => own.reduce((total, part) => total + part[name], 0)
          return {
            model,
            calls: new Set(own.map(({ id }) => id)).size,
            promptTokens: sum('prompt'),
            completionTokens: sum('completion'),
            totalTokens: sum('prompt') + sum('completion'),
            costUsd: formatUsd(BigInt(sum('cost')))
          }
        }
      ).toSorted((a, b) => (a.model < b.model ? -1 : 1))
    const everybody = inside.map((call) => ({
      ...call,
      prompt: call.prompt_tokens,
      completion: call.completion_tokens,
      cost: cost(call)
    }))
    t.deepEqual((await figures.statistics(range, 'hour', undefined)).byModel, modelsOf(everybody))
    // The second user has the completion of two calls in three.
    const second = inside
      .filter((call) => calls.indexOf(call) % 3 !== 0)
      .map((call) => ({ ...call, prompt: 0, completion: call.completion_tokens, cost: 0 }))
    t.deepEqual((await figures.statistics(range, 'hour', users[1])).byModel, modelsOf(second))
    await rollUps.fold(1_000)
  }
})
