import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Redis } from 'ioredis'
import { findSuspects } from '../../../lib/admin/suspicious.ts'
import { createDecisionReader } from '../../../lib/gate/decision-reader.ts'
import type { DecisionRecord } from '../../../lib/gate/decision.ts'
import { newId } from '../../../lib/ids.ts'
import { auditQuerySchema } from '../../../lib/schemas/admin.ts'
import { JobError } from '../../../lib/errors/job-error.ts'
import { countTokens } from '../../../lib/models/tokens.ts'
import { contextForFile, eventually, newUser } from '../../helpers/context.ts'
import { connected, facts, gateFor, quiet, user } from '../../helpers/gate.ts'
import { offlineModels } from '../../helpers/models.ts'
import { runningJob } from '../../helpers/running-job.ts'

const context = contextForFile(test)
const signal = new AbortController().signal

// Loading the tokenizer takes a while, in which no transaction may be left waiting.
test.serial.before(() => void countTokens('ready'))

const messages = [{ role: 'user' as const, content: 'What is an audit?' }]

function decisionOf(userId: string | null, changes: Partial<DecisionRecord> = {}): DecisionRecord {
  return {
    id: newId(),
    at: Date.now() - 5_000,
    userId,
    ip: '192.0.2.7',
    action: 'chat_completion',
    outcome: 'allowed',
    method: 'POST',
    path: '/api/v1/chat',
    userAgent: 'test',
    limits: [{ name: 'chat_completion', capacity: 10, remaining: 9, refused: false }],
    repeats: 0,
    ...changes
  }
}

const rowsOf = async (...ids: string[]) =>
  await context().knex('rate_limit_audits').whereIn('id', ids).orderBy('created_at')

for (const first of ['decision', 'job'] as const) {
  test(`a row is complete when the ${first} comes first`, async (t) => {
    const { knex, lifecycle } = context()
    const { recordDecisions } = context().admin
    const { tracker, models } = offlineModels(context())
    const userId = await newUser(context())
    const decision = decisionOf(userId)
    const scope = await runningJob(context(), userId, { decision: { id: decision.id, at: new Date(decision.at) } })
    if (first === 'decision') await recordDecisions([decision])

    const answer = await tracker.runInScope(scope, () => models.chat({ step: 'answer', messages, signal }))
    t.true(await lifecycle.complete(scope.jobId, 1, async () => ({}), null))
    if (first === 'job') {
      // All that is known of a request whose decision is still on its way.
      t.like((await rowsOf(decision.id))[0], { outcome: 'allowed', method: null, job_id: scope.jobId })
    }
    // What comes twice, as from a writer that was killed before it could say so, changes nothing.
    for (let n = 0; n < 3; n++) await recordDecisions([decision])

    const [row, ...more] = await rowsOf(decision.id)
    t.deepEqual(more, [])
    const job = await knex('jobs').where({ id: scope.jobId }).first()
    t.like(row, {
      user_id: userId,
      action: 'chat_completion',
      outcome: 'allowed',
      method: 'POST',
      path: '/api/v1/chat',
      ip: '192.0.2.7',
      user_agent: 'test',
      job_id: scope.jobId,
      model: 'offline-chat-mini',
      prompt_tokens: String(answer.usage.promptTokens),
      completion_tokens: String(answer.usage.completionTokens),
      total_tokens: String(answer.usage.promptTokens + answer.usage.completionTokens),
      cost_pico: answer.costPico.toString()
    })
    t.deepEqual(row.limits, decision.limits)
    t.is(row.created_at.getTime(), decision.at)
    t.true(row.latency_ms >= 0)
    t.true(Math.abs(row.latency_ms - (job.finished_at.getTime() - job.created_at.getTime())) <= 1)
  })
}

test('a degraded decision stays degraded, whichever of the two outcomes of one request comes first', async (t) => {
  const { recordDecisions } = context().admin
  const userId = await newUser(context())
  for (const order of [
    ['degraded', 'blocked'],
    ['blocked', 'degraded']
  ] as const) {
    const decision = decisionOf(userId)
    for (const outcome of order) await recordDecisions([{ ...decision, outcome }])
    t.is((await rowsOf(decision.id))[0].outcome, 'degraded')
    const both = decisionOf(userId)
    await recordDecisions(order.map((outcome) => ({ ...both, outcome })))
    t.is((await rowsOf(both.id))[0].outcome, 'degraded')
  }
})

test('a count only rises, in whichever order it comes, and its row keeps what it has of the first', async (t) => {
  const { recordDecisions, figures, rollUps } = context().admin
  const userId = await newUser(context())
  const at = Date.now() - 5_000
  const limits = [{ name: 'chat_completion', capacity: 10, remaining: 0, refused: true }]
  const first = decisionOf(userId, { outcome: 'blocked', at, limits })
  const counted = (repeats: number): DecisionRecord => ({ ...first, at: at + repeats, ip: '192.0.2.8', repeats })
  const blocked = async () => {
    const range = { from: new Date(at - 1), to: new Date() }
    return (await figures.statistics(range, 'minute', userId)).totals
  }
  await recordDecisions([first])
  for (const repeats of [7, 3, 40, 40, 12]) await recordDecisions([counted(repeats)])
  await recordDecisions([counted(4), counted(41), first])
  await Promise.all([60, 55, 59].map((repeats) => recordDecisions([counted(repeats)])))
  const [row, ...more] = await rowsOf(first.id)
  t.deepEqual(more, [])
  t.like(row, { repeats: 60, ip: '192.0.2.7', outcome: 'blocked' })
  t.is(row.created_at.getTime(), at)
  t.like(await blocked(), { requests: 61, blocked: 61, allowed: 0 })
  await rollUps.fold(10_000)
  t.like(await blocked(), { requests: 61, blocked: 61, blockedRate: 1 })
})

test.serial(
  'every figure counts a flood of 5,000 refusals, of which 61 rows are kept, whoever writes them how often',
  async (t) => {
    const { isolation, admin } = context()
    const redis = new Redis(isolation.redisUrl)
    t.teardown(() => redis.disconnect())
    const place = { redis, prefix: `${isolation.prefix}_flood` }
    // A minute of its own, so that the flood is in one whenever the test runs.
    const at = Math.floor(Date.now() / 60_000) * 60_000 - 120_000
    const gate = gateFor({ ...place, timeoutMs: 60_000, now: () => at * 1_000 })
    const userId = await newUser(context())
    const readers = [1, 2].map((times) =>
      createDecisionReader({
        ...place,
        idleMs: 20,
        log: quiet,
        setAside: async () => t.fail('nothing here is bad'),
        async onBatch(batch) {
          for (let n = 0; n < times; n++) await admin.recordDecisions(batch)
        }
      })
    )
    for (const reader of readers) {
      reader.start()
      t.teardown(() => reader.stop())
    }
    for (let n = 0; n < 5_010; n += 167) {
      await Promise.all(
        Array.from({ length: 167 }, () =>
          gate.take({
            subject: user(userId),
            buckets: ['chat_completion', 'api_call'],
            request: facts(userId, { action: 'chat_completion' })
          })
        )
      )
    }
    const range = { from: new Date(at - 60_000), to: new Date(at + 60_000) }
    const statistics = async () => await admin.figures.statistics(range, 'minute', userId)
    await eventually(async () => (await statistics()).totals.requests === 5_010, 60_000)
    const expected = { requests: 5_010, allowed: 10, blocked: 5_000, degraded: 0 }
    const { totals, byAction, timeline } = await statistics()
    t.like(totals, expected)
    t.like(byAction, [{ action: 'chat_completion', ...expected }])
    t.like(timeline, [{ requests: 5_010, blocked: 5_000 }])
    const { knex } = context()
    t.is((await knex('rate_limit_audits').where({ user_id: userId, outcome: 'blocked' })).length, 61)

    const all = async () => {
      const [consumers, shares, burst, hours] = [
        await admin.figures.topConsumers(range, 'blocked', 100),
        await admin.figures.oftenBlocked(range, { requests: 20, share: 0.5 }),
        await findSuspects(admin.rules, range),
        await admin.figures.statistics({ from: new Date(at - 86_400_000), to: new Date(at + 60_000) }, 'hour', userId)
      ]
      t.like(
        consumers.find((one) => one.userId === userId),
        { requests: 5_010, blocked: 5_000 }
      )
      t.is(shares.find((one) => one.userId === userId)?.share, 5_000 / 5_010)
      const reasons = burst.find((one) => one.userId === userId)?.reasons ?? []
      t.is(reasons.find(({ code }) => code === 'blocked_burst')?.observed, 5_000)
      t.is(hours.totals.blocked, 5_000)
    }
    await all()
    while (await admin.rollUps.fold(50_000));
    await all()
    const rows = await admin.auditQueries.list(auditQuerySchema.parse({ userId, outcome: 'blocked', limit: 100 }))
    t.deepEqual(
      rows.flatMap(({ audit }) => (audit.repeats > 0 ? [[audit.repeats, ...audit.refusedBy]] : [])),
      [[4_939, 'chat_completion']]
    )
    t.true(rows.every(({ audit }) => audit.refusedBy.join() === 'chat_completion'))
  }
)

test('a request that was let in and then refused is one row, which says by what', async (t) => {
  const { recordDecisions, auditQueries } = context().admin
  const refusedBy = [{ name: 'budget', capacity: 0, remaining: 0, refused: true }]
  for (const order of [
    ['allowed', 'blocked'],
    ['blocked', 'allowed']
  ] as const) {
    const userId = await newUser(context())
    const decision = decisionOf(userId)
    for (const outcome of order) {
      await recordDecisions([{ ...decision, outcome, ...(outcome === 'blocked' ? { limits: refusedBy } : {}) }])
    }
    const list = await auditQueries.list(auditQuerySchema.parse({ userId }))
    t.is(list.length, 1)
    t.like(list[0]?.audit, { outcome: 'blocked', repeats: 0 })
    t.deepEqual(list[0]?.audit.refusedBy, ['budget'])
  }
})

test('a job that fails for want of budget is a refused request everywhere, whichever row comes first', async (t) => {
  const { lifecycle, knex, admin } = context()
  for (const decisionFirst of [true, false]) {
    const userId = await newUser(context())
    const decision = { ...decisionOf(userId), action: 'code_validation' as const, outcome: 'allowed' as const }
    const record = () => admin.recordDecisions([decision])
    if (decisionFirst) await record()
    const scope = await runningJob(context(), userId, {
      action: 'code_validation',
      decision: { id: decision.id, at: new Date(decision.at) }
    })
    const error = new JobError('budget_exhausted', 'what may be spent does not pay', { retryable: false })
    const job = { id: scope.jobId, run: scope.run, attempts: 1, maxAttempts: 3 }
    t.is(await lifecycle.fail(job, error, null), 'failed')
    if (!decisionFirst) await record()

    const [row, ...more] = await admin.auditQueries.list(auditQuerySchema.parse({ userId }))
    t.deepEqual(more, [])
    t.like(row?.audit, { outcome: 'blocked', jobId: scope.jobId, action: 'code_validation' })
    t.deepEqual(row?.audit.refusedBy, ['budget'])
    const range = { from: new Date(Date.now() - 3_600_000), to: new Date(Date.now() + 3_600_000) }
    t.like((await admin.figures.statistics(range, 'hour', userId)).totals, { requests: 1, allowed: 0, blocked: 1 })
    const told = await knex('events').where({ type: 'rate_limit.blocked', subject: userId })
    t.is(told.length, 1)
    t.like(told[0].data, { userId, action: 'code_validation' })
  }
})

test('a failed and a cancelled job complete their rows with what they had cost', async (t) => {
  const { lifecycle, knex } = context()
  const { tracker, models } = offlineModels(context())
  const userId = await newUser(context())
  for (const end of ['failed', 'cancelled'] as const) {
    const decision = { id: newId(), at: new Date() }
    const scope = await runningJob(context(), userId, { decision })
    const { costPico } = await tracker.runInScope(scope, () => models.chat({ step: 'x', messages, signal }))
    if (end === 'cancelled') t.true(await lifecycle.cancelOpen(scope.jobId, 'cancelled by a test'))
    else {
      const started = await knex('jobs').where({ id: scope.jobId }).first()
      const job = { id: scope.jobId, run: 1, attempts: 1, maxAttempts: 1, ...started } as never
      t.is(await lifecycle.fail(job, new JobError('x', 'no', { retryable: false }), null), 'failed')
    }
    t.like((await rowsOf(decision.id))[0], { job_id: scope.jobId, cost_pico: costPico.toString() })
  }
})

test('a call that is settled after its job was cancelled still reaches the audit and its figures', async (t) => {
  const { lifecycle } = context()
  const admin = context().admin
  const { tracker, models, provider } = offlineModels(context(), { provider: { tokenMs: 500 }, timeoutMs: 60_000 })
  const userId = await newUser(context())
  const decision = decisionOf(userId)
  await admin.recordDecisions([decision])
  const scope = await runningJob(context(), userId, { decision: { id: decision.id, at: new Date(decision.at) } })
  const aborter = new AbortController()
  let told = 0
  const call = tracker.runInScope(scope, () =>
    models.chat({ step: 'x', messages, signal: aborter.signal, onDelta: () => (told += 1) })
  )
  await eventually(async () => told > 1)
  t.true(await lifecycle.cancelOpen(scope.jobId, 'cancelled by a test'))
  t.like((await rowsOf(decision.id))[0], { job_id: scope.jobId, total_tokens: '0' })
  aborter.abort(new Error('cancelled'))
  await t.throwsAsync(call, { message: 'cancelled' })

  const [row] = await rowsOf(decision.id)
  t.true(Number(row.total_tokens) > 0)
  const [share] = await context().knex('model_call_shares').where({ job_id: scope.jobId })
  t.is(row.cost_pico, share.cost_pico)
  t.true(provider.invoice()[0]?.aborted)
  const range = { from: new Date(decision.at - 1_000), to: new Date() }
  t.is((await admin.figures.statistics(range, 'hour', userId)).totals.totalTokens, Number(row.total_tokens))
})

const isV7 = (id: string) => id.charAt(14) === '7'

test('refusals are told of at most once a minute for a user and action', async (t) => {
  const { recordDecisions } = context().admin
  const userId = await newUser(context())
  // not on the hour, so that what is told depends on the time between and not on the clock
  const minute = Math.floor(Date.now() / 60_000) * 60_000 - 20_000
  const blocked = (at: number, changes: Partial<DecisionRecord> = {}) =>
    decisionOf(userId, { at, outcome: 'blocked', ...changes })
  await recordDecisions([blocked(minute), blocked(minute + 1), decisionOf(userId), decisionOf(null)])
  await recordDecisions([blocked(minute + 59_999), blocked(minute + 5, { action: 'api_call' })])
  await recordDecisions([blocked(minute + 60_000), blocked(minute, { userId: newId() })])
  await Promise.all(
    Array.from({ length: 4 }, () =>
      recordDecisions([blocked(minute + 30_000), blocked(minute + 9, { action: 'rag_search' })])
    )
  )
  const events = await context()
    .knex('events')
    .where({ type: 'rate_limit.blocked', user_id: userId })
    .select('id', 'data')
  t.true(
    events.every(({ id }) => isV7(id)),
    'ids rise with time, as lists of events need it'
  )
  t.deepEqual(
    events.map(({ data }) => `${data.action} ${Date.parse(data.at) - minute}`).toSorted((a, b) => a.localeCompare(b)),
    ['api_call 5', 'chat_completion 0', 'chat_completion 60000', 'rag_search 9']
  )
})

test.serial(
  'thousands of decisions become thousands of rows, also when their writers are killed again and again',
  async (t) => {
    const { isolation } = context()
    const { redisUrl, prefix } = isolation
    const gate = gateFor({ redis: await connected(t, redisUrl), prefix })
    const userIds = await Promise.all(Array.from({ length: 20 }, () => newUser(context())))
    const writer = fileURLToPath(new URL('./audit-writer-process.ts', import.meta.url))
    const start = () =>
      spawn(process.execPath, [writer, JSON.stringify(isolation)], { stdio: ['ignore', 'pipe', 'inherit'] })

    const ids: string[] = []
    for (let round = 0; round < 3; round++) {
      const child = start()
      const exited = once(child, 'exit')
      await once(child.stdout, 'data') // it has stored its first batch, or is about to
      for (let n = 0; n < 3; n++) {
        const decisions = await Promise.all(
          Array.from({ length: 300 }, (_, i) => {
            const userId = userIds[i % userIds.length] as string
            return gate.take({ subject: user(userId), buckets: ['api_call'], request: facts(userId) })
          })
        )
        ids.push(...decisions.map(({ id }) => id))
      }
      child.kill('SIGKILL')
      await exited
    }
    const admin = context().admin
    const reader = createDecisionReader({
      redis: await connected(t, redisUrl),
      prefix,
      onBatch: admin.recordDecisions,
      setAside: async () => {},
      idleMs: 20,
      claimAfterMs: 300,
      log: quiet
    })
    reader.start()
    t.teardown(reader.stop)
    await eventually(async () => (await reader.lengths()).decisions === 0)
    const rows = await rowsOf(...ids)
    t.is(rows.length, ids.length)
    t.is(new Set(rows.map(({ id }) => id)).size, ids.length)
    const from = new Date(Math.min(...rows.map(({ created_at }) => created_at.getTime())))
    let counted = 0
    for (const userId of userIds) {
      counted += (await admin.figures.statistics({ from, to: new Date() }, 'minute', userId)).totals.requests
    }
    t.is(counted, ids.length)
  }
)
