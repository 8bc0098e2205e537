import test from 'ava'
import type { JobError } from '../../../lib/errors/job-error.ts'
import { createProviderGuard, readModelState } from '../../../lib/models/provider-guard.ts'
import { contextForFile, eventually, newUser } from '../../helpers/context.ts'
import { offlineModels, runningJob } from '../../helpers/models.ts'

const context = contextForFile(test)
const signal = new AbortController().signal
const model = 'offline-chat-mini'

async function asker(options: Parameters<typeof offlineModels>[1]) {
  const { provider, tracker, models } = offlineModels(context(), options)
  const userId = await newUser(context())
  const ask = async () =>
    await tracker.runInScope(await runningJob(context(), { userId }), () =>
      models.chat({ step: 'x', messages: [{ role: 'user', content: 'Hello' }], signal, maxOutputTokens: 16 })
    )
  return { provider, ask }
}

test('a pause that the provider asked for holds for every worker and takes no attempt', async (t) => {
  const guardPrefix = `${context().prefix}:pause`
  const first = await asker({
    guardPrefix,
    provider: { faults: [{ kind: 'status', status: 429, retryAfterMs: 60_000 }] }
  })
  const second = await asker({ guardPrefix })
  await t.throwsAsync(first.ask())
  const error = await t.throwsAsync<JobError>(second.ask())
  t.like(error, { code: 'provider_pause', retryable: true, takesAttempt: false })
  t.true((error?.retryAfterMs ?? 0) > 50_000)
  t.is(second.provider.invoice().length, 0)
  t.is((await readModelState(context().redis, guardPrefix, model)).state, 'paused')
})

test('a provider that asks for a day, or for nothing, pauses nobody for longer than minutes', async (t) => {
  const guardPrefix = `${context().prefix}:day`
  const faults = ['86400', '0', '-1', '1e15', '1796040000'].map((wait) => ({
    kind: 'status' as const,
    status: 429,
    headers: { 'retry-after': wait }
  }))
  const { ask } = await asker({ guardPrefix, provider: { faults } })
  t.like(await t.throwsAsync<JobError>(ask()), { retryAfterMs: 300_000, takesAttempt: false })
  const { state, retryAfterMs } = await readModelState(context().redis, guardPrefix, model)
  t.is(state, 'paused')
  t.true(retryAfterMs <= 300_000)
  await context().redis.del(`${guardPrefix}:model:${model}`)
  for (let n = 0; n < 4; n++) {
    t.like(await t.throwsAsync<JobError>(ask()), { code: 'provider_unavailable', takesAttempt: true })
  }
})

test('refusals of requests and keys keep no circuit open and open none', async (t) => {
  const guardPrefix = `${context().prefix}:refusals`
  const faults = [401, 403, 400, 422, 404, 401, 401].map((status) => ({ kind: 'status' as const, status }))
  const { ask } = await asker({ guardPrefix, provider: { faults } })
  for (let n = 0; n < faults.length; n++) t.like(await t.throwsAsync(ask()), { code: 'provider_refused' })
  t.is((await readModelState(context().redis, guardPrefix, model)).state, 'closed')
  await ask()
})

test('a provider that is down is not asked again until one request has found it back', async (t) => {
  const guardPrefix = `${context().prefix}:circuit`
  const { provider, ask } = await asker({
    guardPrefix,
    provider: { faults: [{ kind: 'status', status: 500, times: 5 }] }
  })
  for (let n = 0; n < 5; n++) await t.throwsAsync(ask())
  t.is(provider.invoice().length, 5)
  t.like(await t.throwsAsync<JobError>(ask()), { code: 'provider_circuit', takesAttempt: false })
  t.is(provider.invoice().length, 5)
  t.is((await readModelState(context().redis, guardPrefix, model)).state, 'open')

  await context().redis.hset(`${guardPrefix}:model:${model}`, 'open_until', Date.now() - 1)
  await ask()
  t.is((await readModelState(context().redis, guardPrefix, model)).state, 'closed')
  await ask()
})

test('a probe that was not sent after all leaves the place to the next', async (t) => {
  const guardPrefix = `${context().prefix}:unsent`
  const { redis, log } = context()
  const guard = createProviderGuard({ redis, prefix: guardPrefix, limits: {}, log })
  await redis.hset(`${guardPrefix}:model:${model}`, 'open_until', Date.now() - 1)
  await guard.enter(model, 1, signal)
  await t.throwsAsync(guard.enter(model, 1, signal), { message: /cannot be asked/ })
  await guard.leave(model)
  await t.notThrowsAsync(guard.enter(model, 1, signal))
  t.is((await readModelState(redis, guardPrefix, model)).state, 'open')
})

test('all workers together stay below the configured requests a minute', async (t) => {
  const guardPrefix = `${context().prefix}:rpm`
  const providerLimits = { [model]: { requestsPerMinute: 3 } }
  const workers = await Promise.all([1, 2].map(() => asker({ guardPrefix, providerLimits })))
  const results = await Promise.allSettled(workers.flatMap(({ ask }) => [ask(), ask(), ask()]))
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 3)
  for (const result of results) {
    if (result.status === 'rejected') t.like(result.reason, { code: 'provider_limit', takesAttempt: false })
  }
  t.is(
    workers.reduce((sum, { provider }) => sum + provider.invoice().length, 0),
    3
  )
})

test('a short wait for the limit is waited for, not given back', async (t) => {
  const guardPrefix = `${context().prefix}:short`
  const { ask } = await asker({ guardPrefix, providerLimits: { [model]: { requestsPerMinute: 120 } } })
  const key = `${guardPrefix}:model:${model}`
  await ask()
  // Half a second is what one of 120 requests a minute takes to come back.
  const emptyAt = Date.now()
  await context().redis.hset(key, { requests: '0', at: String(emptyAt) })
  await ask()
  t.true(Date.now() - emptyAt >= 490)
  await eventually(async () => (await context().redis.exists(key)) === 1)
})
