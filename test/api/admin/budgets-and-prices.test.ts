import test from 'ava'
import { newId } from '../../../lib/ids.ts'
import { JobError } from '../../../lib/errors/job-error.ts'
import { adminApiForFile } from '../../helpers/admin-api.ts'
import { eventually } from '../../helpers/context.ts'
import { offlineModels } from '../../helpers/models.ts'
import type { Call } from '../../helpers/platform.ts'
import { runningJob } from '../../helpers/running-job.ts'
import { startTestWorker } from '../../helpers/workers.ts'

const { api } = adminApiForFile(test)

type Body = ReturnType<typeof JSON.parse>
const call = async (send: Call, method: string, path: string, body?: unknown) =>
  (await send<Body>(method, path, body)) as { status: number; body: Body; headers: Headers }

const signal = new AbortController().signal
const messages = [{ role: 'user' as const, content: 'What does a price change?' }]

test.serial('a user’s own budget, the default, and none, as the user sees them too', async (t) => {
  const { newClient } = api()
  const [admin, user] = [await newClient('admin'), await newClient()]
  const mine = `/admin/budgets/users/${user.id}`
  const budget = async () => (await call(user.send, 'GET', '/users/me/usage')).body.budget
  const none = { dailyUsd: null, monthlyUsd: null }
  t.deepEqual((await call(admin.send, 'GET', mine)).body, none)
  t.is(await budget(), null)

  const standard = { dailyUsd: '1.000000000000', monthlyUsd: null }
  const put = await call(admin.send, 'PUT', '/admin/budgets/default', { dailyUsd: 1, monthlyUsd: null })
  t.deepEqual([put.status, put.body], [200, standard])
  t.deepEqual((await call(admin.send, 'GET', '/admin/budgets/default')).body, standard)
  t.deepEqual((await call(admin.send, 'GET', mine)).body, standard)
  t.deepEqual(await budget(), { ...standard, remainingUsd: '1.000000000000' })

  const own = { dailyUsd: '0.500000000000', monthlyUsd: '0.250000000001' }
  t.deepEqual((await call(admin.send, 'PUT', mine, { dailyUsd: '0.5', monthlyUsd: '0.250000000001' })).body, own)
  t.deepEqual((await call(admin.send, 'GET', mine)).body, own)
  t.deepEqual(await budget(), { ...own, remainingUsd: '0.250000000001' })

  t.deepEqual((await call(admin.send, 'PUT', mine, none)).body, none)
  t.is(await budget(), null)
  t.is((await admin.send('DELETE', mine)).status, 204)
  t.deepEqual((await call(admin.send, 'GET', mine)).body, standard)
  await admin.send('PUT', '/admin/budgets/default', none)
})

test('budgets that are no amounts of money are refused by field', async (t) => {
  const { newClient } = api()
  const [admin, user] = [await newClient('admin'), await newClient()]
  for (const [body, paths] of [
    [{ dailyUsd: -1, monthlyUsd: 'much' }, ['dailyUsd', 'monthlyUsd']],
    [{ dailyUsd: '0.0000000000001', monthlyUsd: null }, ['dailyUsd']],
    [{ dailyUsd: null, monthlyUsd: 1e12 }, ['monthlyUsd']],
    [{ dailyUsd: null }, ['monthlyUsd']],
    [{ dailyUsd: null, monthlyUsd: null, weeklyUsd: 1 }, ['weeklyUsd']]
  ] as const) {
    const answer = await call(admin.send, 'PUT', `/admin/budgets/users/${user.id}`, body)
    t.is(answer.status, 422)
    t.deepEqual(
      answer.body.errors.map((error: Body) => error.path),
      paths
    )
  }
})

test('a new price holds from its moment on, and what was charged before stays what it was', async (t) => {
  const { newClient, context } = api()
  const admin = await newClient('admin')
  const model = 'offline-chat-mini'
  const { tracker, models } = offlineModels(context, { chatModel: model })
  const scope = await runningJob(context, admin.id)
  const ask = (step: string) => tracker.runInScope(scope, () => models.chat({ step, messages, signal }))
  const rowOf = async (step: string) =>
    await context
      .knex('model_calls as c')
      .join('model_call_shares as s', 's.call_id', 'c.id')
      .where({ 's.job_id': scope.jobId, 's.step': step })
      .first('c.cost_pico', 'c.price_id', 's.cost_pico as share_pico')

  await ask('before')
  const before = await rowOf('before')
  const input = { model, inputPerMillion: '3', outputPerMillion: 12.5, validFrom: '2026-01-01T01:00:00+01:00' }
  const added = await call(admin.send, 'POST', '/admin/prices', input)
  t.is(added.status, 201)
  t.like(added.body, {
    model,
    inputPerMillion: '3.000000000000',
    cachedInputPerMillion: '3.000000000000',
    outputPerMillion: '12.500000000000',
    validFrom: '2026-01-01T00:00:00.000Z'
  })
  const location = added.headers.get('location')
  t.is(location, `/api/v1/admin/prices/${added.body.id}`)
  t.deepEqual((await call(admin.send, 'GET', `/admin/prices/${added.body.id}`)).body, added.body)

  await ask('after')
  const after = await rowOf('after')
  t.is(after.price_id, added.body.id)
  const { usage } = await ask('after')
  const full = usage.promptTokens - usage.cachedTokens
  t.is(
    BigInt(after.cost_pico),
    BigInt(full + usage.cachedTokens) * 3_000_000n + BigInt(usage.completionTokens) * 12_500_000n
  )
  t.deepEqual(await rowOf('before'), before)

  // A price of the future holds for nothing yet, and the past cannot be written anew.
  const future = { ...input, inputPerMillion: 0, validFrom: '2999-01-01T00:00:00Z' }
  t.is((await admin.send('POST', '/admin/prices', future)).status, 201)
  await ask('later')
  t.is((await rowOf('later')).price_id, added.body.id)
  const again = await call(admin.send, 'POST', '/admin/prices', { ...input, inputPerMillion: '9' })
  t.is(again.status, 409)
  t.is(again.body.errors[0].path, 'validFrom')
  t.deepEqual((await call(admin.send, 'GET', `/admin/prices/${added.body.id}`)).body, added.body)
})

test('a model without a price is refused until it has one', async (t) => {
  const { newClient, context } = api()
  const admin = await newClient('admin')
  const { tracker, models, provider } = offlineModels(context, { chatModel: 'offline-chat' })
  await context.knex('prices').where({ model: 'offline-chat' }).delete()
  const scope = await runningJob(context, admin.id)
  const ask = () => tracker.runInScope(scope, () => models.chat({ step: 'x', messages, signal }))
  t.like(await t.throwsAsync<JobError>(ask(), { instanceOf: JobError }), { code: 'unknown_price', retryable: false })
  t.is(provider.invoice().length, 0)
  const price = { model: 'offline-chat', inputPerMillion: 1, outputPerMillion: 1, validFrom: '2026-01-01T00:00:00Z' }
  t.is((await admin.send('POST', '/admin/prices', price)).status, 201)
  await t.notThrowsAsync(ask())
})

test('prices are listed newest first, page by page and by model, and wrong ones are refused by field', async (t) => {
  const { newClient } = api()
  const admin = await newClient('admin')
  const model = `model-${newId()}`
  for (let n = 1; n <= 3; n++) {
    const price = { model, inputPerMillion: n, outputPerMillion: n, validFrom: `2026-01-0${n}T00:00:00Z` }
    await admin.send('POST', '/admin/prices', price)
  }
  const first = (await call(admin.send, 'GET', `/admin/prices?model=${model}&limit=2`)).body
  const next = (await call(admin.send, 'GET', `/admin/prices?model=${model}&limit=2&cursor=${first.nextCursor}`)).body
  t.deepEqual(
    [...first.data, ...next.data].map((price: Body) => price.inputPerMillion),
    ['3.000000000000', '2.000000000000', '1.000000000000']
  )
  t.is(next.nextCursor, null)
  const wrong = await call(admin.send, 'POST', '/admin/prices', {
    model: ' ',
    inputPerMillion: -1,
    cachedInputPerMillion: '0.0000001',
    outputPerMillion: 1e9,
    validFrom: 'now'
  })
  t.is(wrong.status, 422)
  t.deepEqual(wrong.body.errors.map((error: Body) => error.path).toSorted(), [
    'cachedInputPerMillion',
    'inputPerMillion',
    'model',
    'outputPerMillion',
    'validFrom'
  ])
})

test('failed jobs are retried as new ones, alone or all of an action, and others are not', async (t) => {
  const { newClient, context } = api()
  const [admin, user] = [await newClient('admin'), await newClient()]
  let failing = true
  const worker = await startTestWorker(
    { ...context, isolation: undefined as never },
    {
      rag_search: async () => {
        if (failing) throw new JobError('provider_refused', 'no', { retryable: false })
        return async () => ({ hits: [] })
      }
    }
  )
  t.teardown(worker.stop)
  const submit = async () =>
    (await context.jobs.admit({ actor: { id: user.id }, action: 'rag_search', input: { query: 'x' } })).job.id
  const ended = async (id: string, status: string) =>
    await eventually(async () => (await context.jobStore.find(id))?.status === status)
  const [first, second, third] = [await submit(), await submit(), await submit()]
  for (const id of [first, second, third]) await ended(id, 'failed')
  failing = false

  const retried = await call(admin.send, 'POST', `/admin/jobs/${first}/retry`)
  t.is(retried.status, 201)
  t.like(retried.body, { action: 'rag_search', status: 'queued', retryOf: first })
  t.is(retried.headers.get('location'), `/api/v1/jobs/${retried.body.id}`)
  await ended(retried.body.id, 'completed')
  t.is((await context.jobStore.find(first))?.status, 'failed')
  t.is((await call(admin.send, 'POST', `/admin/jobs/${retried.body.id}/retry`)).status, 409)

  t.deepEqual((await call(admin.send, 'POST', '/admin/jobs/retry?action=bulk_create')).body, { data: [] })
  const all = await call(admin.send, 'POST', '/admin/jobs/retry?action=rag_search')
  t.is(all.status, 200)
  t.deepEqual(all.body.data.map(({ retryOf }: Body) => retryOf).toSorted(), [second, third].toSorted())
  for (const { id } of all.body.data) await ended(id, 'completed')
  t.deepEqual((await call(admin.send, 'POST', '/admin/jobs/retry')).body, { data: [] })
  t.is((await call(admin.send, 'POST', '/admin/jobs/retry?action=sleep')).status, 422)
})
