import test from 'ava'
import { AppError } from '../../lib/errors/app-error.ts'
import { newId } from '../../lib/ids.ts'
import type { JobError } from '../../lib/errors/job-error.ts'
import { courseCreateSchema } from '../../lib/schemas/course.ts'
import { type Budget, createBudgetStore } from '../../lib/store/money/budgets.ts'
import { parseUsd } from '../../lib/money.ts'
import { contextForFile, eventually, newUser } from '../helpers/context.ts'
import { offlineModels, runningJob } from '../helpers/models.ts'
import { startTestWorker } from '../helpers/workers.ts'

const context = contextForFile(test)
const signal = new AbortController().signal

/** The offline chat model costs 0.15 USD a million tokens of input. */
const input = (bytes: number) => ({ input: 'x'.repeat(bytes) })

async function userWithBudget(dailyUsd: string | null, monthlyUsd: string | null = null) {
  const userId = await newUser(context())
  const pico = (usd: string | null) => (usd === null ? null : parseUsd(usd))
  await context().budgetStore.setBudget(userId, { dailyPico: pico(dailyUsd), monthlyPico: pico(monthlyUsd) })
  return userId
}

const usageOf = async (userId: string) =>
  await context()
    .knex('budget_usage')
    .where({ user_id: userId })
    .orderBy('period')
    .select('period', 'reserved_pico', 'spent_pico')

const admit = (userId: string, bytes: number) =>
  context().jobs.admit({ actor: { id: userId }, action: 'embedding_generation', input: input(bytes) })

test('of many submissions at once exactly as many are admitted as the budget pays for in the worst case', async (t) => {
  // 1,000 bytes at 0.02 USD a million tokens: 0.00002 USD each; the budget pays for ten.
  const userId = await userWithBudget('0.0002')
  const results = await Promise.allSettled(Array.from({ length: 40 }, () => admit(userId, 1_000)))
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 10)
  for (const result of results) {
    if (result.status === 'fulfilled') continue
    const error = result.reason as AppError
    t.like(error, { code: 'budget_exceeded', status: 429 })
    t.deepEqual(error.extras.members, { 'violated-policies': ['budget'] })
    t.true(Number(error.extras.headers?.['Retry-After']) > 0)
  }
  t.is((await context().knex('jobs').where({ user_id: userId })).length, 10)
})

test('a month that is used up gives back what the day had reserved', async (t) => {
  const userId = await userWithBudget('1', '0.00001')
  await t.throwsAsync(admit(userId, 1_000), { instanceOf: AppError })
  t.deepEqual(await usageOf(userId), [])
})

test('a job of the platform that found no room on its day reserves on the day it starts', async (t) => {
  const { jobs, knex, lifecycle, transaction } = context()
  const userId = await userWithBudget('0.01')
  const goalId = newId()
  await knex('goals').insert({ id: goalId, user_id: userId, title: 'A goal that is worth some tokens' })
  await transaction.transact((trx) => jobs.enqueueEmbeddings(trx, { userId, source: { type: 'goal', id: goalId } }))
  const { id } = await knex('jobs').where({ user_id: userId }).first('id')
  // As one of yesterday, when the whole budget was spent.
  const yesterday = knex.raw(`(now() at time zone 'utc')::date - 1`)
  await knex('jobs').where({ id }).update({ reserved_day: yesterday, run_at: knex.fn.now() })
  const spent = { user_id: userId, period: 'day', starts_on: yesterday, spent_pico: parseUsd('0.01').toString() }
  await knex('budget_usage').insert(spent)

  t.is((await lifecycle.start(id, 'worker')).kind, 'started')
  const today = await knex('budget_usage')
    .where({ user_id: userId, period: 'day' })
    .whereRaw(`starts_on = (now() at time zone 'utc')::date`)
    .first('reserved_pico')
  t.true(Number(today?.reserved_pico) > 0)
})

// Alone: it is everybody's default.
test.serial('the default budget holds for a user without one, and a budget of null is none', async (t) => {
  const { budgetStore } = context()
  const [bounded, free] = [await newUser(context()), await userWithBudget(null)]
  await budgetStore.setDefaultBudget({ dailyPico: 0n, monthlyPico: null })
  t.teardown(() => budgetStore.removeDefaultBudget())
  await t.throwsAsync(admit(bounded, 1_000), { instanceOf: AppError })
  await t.notThrowsAsync(admit(free, 1_000))
})

test.serial('of the configured default, the administrators’ and a user’s own budget the nearest holds', async (t) => {
  const { knex } = context()
  const store = createBudgetStore({ knex, fallbackDailyPico: parseUsd(5) })
  const userId = await newUser(context())
  const [none, one, two] = [null, parseUsd(1), parseUsd(2)].map((dailyPico) => ({ dailyPico, monthlyPico: null }))
  const both = async () => [await store.defaultBudget(), await store.budgetOf(userId)]
  t.teardown(() => store.removeDefaultBudget())
  const configured = { dailyPico: parseUsd(5), monthlyPico: null }
  t.deepEqual(await both(), [configured, configured])

  await store.setDefaultBudget(one as Budget)
  t.deepEqual(await both(), [one, one])
  await store.setDefaultBudget(none as Budget) // said to be none
  t.deepEqual(await both(), [none, none])
  await store.setBudget(userId, two as Budget)
  t.deepEqual(await both(), [none, two])
  await store.removeDefaultBudget()
  await store.setBudget(userId, none as Budget)
  t.deepEqual(await both(), [configured, none])
  await store.removeBudget(userId)
  t.deepEqual(await both(), [configured, configured])
})

test('what bulk creates is embedded at its owner’s cost, and waits for room instead of failing', async (t) => {
  const { knex, lifecycle, records, transaction, budgetStore } = context()
  const each = 2n * 10n * parseUsd('0.00000002') // titles of ten bytes, chunked, at 0.02 USD a million tokens
  const owner = await newUser(context())
  await budgetStore.setBudget(owner, { dailyPico: 20n * each, monthlyPico: null })
  const goals = Array.from({ length: 500 }, (_, n) => ({ title: `goal ${n}`.padEnd(10, '.') }))
  const checked = [...records.bulk.check({ goals })]
  await transaction.transact((trx) => records.bulk.create(trx, { id: owner, role: 'user' }, checked))
  await knex('jobs').where({ user_id: owner }).update({ run_at: knex.fn.now() })
  const ids = (await knex('jobs').where({ user_id: owner, origin: 'system' }).pluck('id')) as string[]
  t.is(ids.length, 500)

  const starts = await Promise.all(ids.slice(0, 60).map((id) => lifecycle.start(id, 'worker')))
  t.is(starts.filter(({ kind }) => kind === 'started').length, 20)
  t.is(starts.filter(({ kind }) => kind === 'later').length, 40)
  t.deepEqual(await usageOf(owner), [
    { period: 'day', reserved_pico: String(20n * each), spent_pico: '0' },
    { period: 'month', reserved_pico: String(20n * each), spent_pico: '0' }
  ])
  const states = (await knex('jobs').where({ user_id: owner }).distinct('status').orderBy('status')) as {
    status: string
  }[]
  t.deepEqual(states, [{ status: 'active' }, { status: 'queued' }])

  await budgetStore.setBudget(owner, { dailyPico: null, monthlyPico: null })
  const waiting = ids.slice(0, 60).filter((_, index) => starts[index]?.kind === 'later')
  await knex('jobs').whereIn('id', waiting).update({ run_at: knex.fn.now() })
  t.is((await lifecycle.start(waiting[0] as string, 'worker')).kind, 'started')
})

test('a document of a course is embedded at the cost of the course’s owner, whoever wrote it', async (t) => {
  const { knex, records, transaction } = context()
  const [owner, admin] = [await newUser(context()), await newUser(context(), 'admin')]
  const writer = { id: admin, role: 'admin' as const }
  const document = await transaction.transact(async (trx) => {
    const input = courseCreateSchema.parse({ title: 'Course' })
    const { id: courseId } = await records.courses.create(trx, { id: owner, role: 'user' }, input)
    return await records.documents.create(trx, writer, { title: 'Page', markdown: '# Page', courseId })
  })
  await knex('jobs').where({ source_id: document.id }).delete()
  await records.documents.update(writer, document.id, { markdown: '# Another page' })
  t.deepEqual(await knex('jobs').where({ source_id: document.id }).pluck('user_id'), [owner])
})

test.serial(
  'a job settles what it spent and leaves nothing reserved; a cancelled one gives its reserve back',
  async (t) => {
    const { jobs } = context()
    const { tracker, models } = offlineModels(context())
    const userId = await userWithBudget('0.001')
    const cancelled = await admit(userId, 1_000)
    await jobs.cancel({ id: userId, role: 'user', credential: { kind: 'session', id: userId } }, cancelled.job.id)
    t.true(
      (await usageOf(userId)).every(({ reserved_pico, spent_pico }) => reserved_pico === '0' && spent_pico === '0')
    )

    const worker = await startTestWorker(
      context(),
      {
        embedding_generation: async (run) => {
          const { input: text } = run.input as { input: string }
          await models.embed({ step: 'embed', texts: [text], signal: run.signal })
          return async () => ({})
        }
      },
      { tracker }
    )
    t.teardown(worker.stop)
    const { job } = await admit(userId, 1_000)
    const done = await eventually(async () => {
      const found = await context().jobStore.find(job.id)
      return found?.status === 'completed' ? found : undefined
    })
    t.true(done.usage.promptTokens > 0)
    t.deepEqual(
      (await usageOf(userId)).map(({ reserved_pico, spent_pico }) => [reserved_pico, spent_pico]),
      [
        ['0', parseUsd(done.usage.costUsd).toString()],
        ['0', parseUsd(done.usage.costUsd).toString()]
      ]
    )
  }
)

test('a call that what may be spent does not pay for is shortened, and refused when nothing useful is left', async (t) => {
  const { knex } = context()
  const { provider, tracker, models } = offlineModels(context())
  const userId = await newUser(context())
  const scope = await runningJob(context(), { userId, input: { message: 'Hello', maxCostUsd: 0.0003 } })
  const ask = (step: string) =>
    tracker.runInScope(scope, () =>
      models.chat({ step, messages: [{ role: 'user', content: 'Tell me all about budgets.' }], signal })
    )
  await ask('first')
  const [call] = await knex('model_calls as c')
    .join('model_call_shares as s', 's.call_id', 'c.id')
    .where('s.job_id', scope.jobId)
    .select('c.worst_case_pico')
  t.true(BigInt(call.worst_case_pico) <= parseUsd('0.0003'))

  await knex('model_call_shares')
    .where({ job_id: scope.jobId })
    .update({ cost_pico: parseUsd('0.000299').toString() })
  t.like(await t.throwsAsync<JobError>(ask('second')), { code: 'budget_exhausted', retryable: false })
  t.is(provider.invoice().length, 1)
})

test('a call settled after its job had ended corrects what was counted as spent', async (t) => {
  const { ledger, lifecycle } = context()
  const userId = await userWithBudget('1')
  const scope = await runningJob(context(), { userId, action: 'embedding_generation', input: input(1_000) })
  const price = await ledger.priceOf('offline-embedding-small')
  const id = newId()
  await ledger.intend({
    id,
    kind: 'embedding',
    model: 'offline-embedding-small',
    priceId: price?.priceId as string,
    shares: [{ scope, step: 's', inputHash: 'h', worstCasePico: 5_000n }]
  })
  t.true(await lifecycle.cancelOpen(scope.jobId, 'cancelled by a test'))
  t.deepEqual((await usageOf(userId))[0], { period: 'day', reserved_pico: '0', spent_pico: '5000' })
  const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }
  await ledger.settle(id, {
    state: 'settled',
    usage,
    costPico: 700n,
    latencyMs: 1,
    shares: [{ usage, costPico: 700n }]
  })
  t.deepEqual((await usageOf(userId))[0], { period: 'day', reserved_pico: '0', spent_pico: '700' })
})
