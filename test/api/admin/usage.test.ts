import test from 'ava'
import { parseUsd } from '../../../lib/money.ts'
import { adminApiForFile } from '../../helpers/admin-api.ts'
import { auditRow, insertAudits } from '../../helpers/audits.ts'
import { offlineModels } from '../../helpers/models.ts'
import { runningJob } from '../../helpers/running-job.ts'

const { api } = adminApiForFile(test)

type Body = ReturnType<typeof JSON.parse>
const none = { requests: 0, promptTokens: 0, completionTokens: 0, totalTokens: 0, costUsd: '0.000000000000' }

test('usage counts the UTC day and month of the user alone: requests by audits, tokens and cost by the ledger', async (t) => {
  const { newClient, context, admin } = api()
  const [user, other] = [await newClient(), await newClient()]
  const usage = async () => (await user.send<Body>('GET', '/users/me/usage')).body
  const now = new Date()
  const monthStart = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)
  const dayStart = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate())
  const at = (ms: number, user_id: string) => auditRow({ user_id, created_at: new Date(ms) })
  await insertAudits(context.knex, [
    at(dayStart, user.id),
    at(monthStart, user.id),
    at(monthStart - 1, user.id),
    at(dayStart, other.id)
  ])

  const scope = await runningJob(context, user.id)
  const { tracker, models } = offlineModels(context)
  const messages = [{ role: 'user' as const, content: 'What have I used?' }]
  const call = { messages, signal: new AbortController().signal }
  const today = await tracker.runInScope(scope, () => models.chat({ step: 'today', ...call }))
  const before = await tracker.runInScope(scope, () => models.chat({ step: 'before', ...call }))
  await context
    .knex('model_call_shares')
    .where({ job_id: scope.jobId, step: 'before' })
    .update({ created_at: new Date(monthStart - 1) })
  t.true(before.costPico > 0n)

  const firstDay = monthStart === dayStart
  for (const rolledUp of [false, true]) {
    if (rolledUp) while (await admin.rollUps.fold(1_000));
    const { today: day, month, budget } = await usage()
    const tokens = {
      promptTokens: today.usage.promptTokens,
      completionTokens: today.usage.completionTokens,
      totalTokens: today.usage.promptTokens + today.usage.completionTokens
    }
    t.like(day, tokens)
    t.like(month, tokens)
    t.is(parseUsd(day.costUsd), today.costPico)
    t.is(parseUsd(month.costUsd), today.costPico)
    // Reading the usage is a request too, and may or may not have its row yet.
    t.true(day.requests >= (firstDay ? 2 : 1) && day.requests <= 4, `${day.requests} today`)
    t.is(month.requests - day.requests, firstDay ? 0 : 1)
    t.is(budget, null)
  }
  const { body } = await other.send<Body>('GET', '/users/me/usage')
  t.like({ ...body.today, requests: 0 }, none)
})

test('what is left of a budget is the less of day and month, without what running jobs have reserved', async (t) => {
  const { newClient, context } = api()
  const user = await newClient()
  const budget = async () => (await user.send<Body>('GET', '/users/me/usage')).body.budget
  await context.budgetStore.setBudget(user.id, { dailyPico: parseUsd('0.5'), monthlyPico: parseUsd('2') })
  const whole = { dailyUsd: '0.500000000000', monthlyUsd: '2.000000000000' }
  t.deepEqual(await budget(), { ...whole, remainingUsd: '0.500000000000' })

  const input = { message: 'Hello', maxCostUsd: 0.125 }
  const { job } = await context.jobs.admit({ actor: { id: user.id }, action: 'chat_completion', input })
  t.deepEqual(await budget(), { ...whole, remainingUsd: '0.375000000000' })
  const actor = { id: user.id, role: 'user', credential: { kind: 'session', id: user.id } } as const
  await context.jobs.cancel(actor, job.id)
  t.deepEqual(await budget(), { ...whole, remainingUsd: '0.500000000000' })

  await context.budgetStore.setBudget(user.id, { dailyPico: null, monthlyPico: 0n })
  t.deepEqual(await budget(), { dailyUsd: null, monthlyUsd: '0.000000000000', remainingUsd: '0.000000000000' })
})

test('a stranger has no usage', async (t) => {
  t.is((await api().stranger('GET', '/users/me/usage')).status, 401)
})
