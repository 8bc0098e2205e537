import type { OfflineProviderOptions } from '@goals/offline-provider'
import test from 'ava'
import { newId } from '../../../lib/ids.ts'
import { JobError } from '../../../lib/errors/job-error.ts'
import type { UsageScope } from '../../../lib/usage/tracker.ts'
import { contextForFile, eventually } from '../../helpers/context.ts'
import { nextRun, offlineModels, runningJob } from '../../helpers/models.ts'

const context = contextForFile(test)

const modelsWith = (provider: OfflineProviderOptions = {}, chatModel = 'offline-chat-mini', gatherMs = 1_000) =>
  offlineModels(context(), { provider, chatModel, gatherMs })

/** Long enough for all to come together on a busy machine, in milliseconds: what is looked at is the number of requests. */
const together = 5_000

const scope = () => runningJob(context())

const callsOf = (jobId: string) =>
  context()
    .knex('model_calls as c')
    .join('model_call_shares as s', 's.call_id', 'c.id')
    .where('s.job_id', jobId)
    .orderBy('c.id')
    .select(
      'c.id',
      'c.state',
      'c.error',
      'c.prompt_tokens as call_prompt',
      'c.completion_tokens as call_completion',
      's.prompt_tokens',
      's.completion_tokens',
      's.cost_pico',
      's.run'
    )

const signal = new AbortController().signal
const messages = [{ role: 'user' as const, content: 'What is a closure?' }]

test('a call is booked with the tokens of the invoice and its exact price', async (t) => {
  const { provider, tracker, models } = modelsWith()
  const job = await scope()
  const answer = await tracker.runInScope(job, () => models.chat({ step: 'answer', messages, signal }))
  const [line] = provider.invoice()
  t.like(answer.usage, { promptTokens: line?.promptTokens, completionTokens: line?.completionTokens })
  const calls = await callsOf(job.jobId)
  t.is(calls.length, 1)
  t.like(calls[0], { state: 'settled', id: line?.clientRequestId, error: null })
  // 0.15 and 0.60 USD a million tokens: 150,000 and 600,000 pico-USD a token.
  const expected = BigInt(answer.usage.promptTokens) * 150_000n + BigInt(answer.usage.completionTokens) * 600_000n
  t.is(BigInt(calls[0].cost_pico), expected)
  t.is(answer.costPico, expected)
})

test('a later run of the job uses the answer that was paid for and calls nobody', async (t) => {
  const { provider, tracker, models } = modelsWith()
  const job = await scope()
  const ask = (run: UsageScope, step = 'answer') =>
    tracker.runInScope(run, () => models.chat({ step, messages, signal }))
  const first = await ask(job)
  const later = await nextRun(context(), job)
  const second = await ask(later)
  t.deepEqual(
    { content: second.content, reused: second.reused, cost: second.costPico },
    { content: first.content, reused: true, cost: 0n }
  )
  t.is(provider.invoice().length, 1)
  await ask(later, 'another step')
  t.is(provider.invoice().length, 2)

  const embed = (run: UsageScope) =>
    tracker.runInScope(run, () => models.embed({ step: 'e', texts: ['one', 'two'], signal }))
  const paid = await embed(later)
  const again = await embed(await nextRun(context(), later))
  t.is(again.reused, 2)
  t.deepEqual(
    again.vectors.map((v) => v.map(Math.fround)),
    paid.vectors.map((v) => v.map(Math.fround))
  )
  t.is(provider.invoice().length, 3)
})

test('an intent that was never settled is marked unknown when the step is run again', async (t) => {
  const { provider, tracker, models } = modelsWith({ faults: [{ kind: 'hang', billed: true }] })
  const { ledger } = context()
  const job = await scope()
  const price = await ledger.priceOf('offline-chat-mini')
  await ledger.intend({
    id: newId(),
    kind: 'chat',
    model: 'offline-chat-mini',
    priceId: price?.priceId as string,
    shares: [{ scope: job, step: 'dead', inputHash: 'h', worstCasePico: 1n }]
  })
  const later = await nextRun(context(), job)
  await ledger.intend({
    id: newId(),
    kind: 'chat',
    model: 'offline-chat-mini',
    priceId: price?.priceId as string,
    shares: [{ scope: later, step: 'dead', inputHash: 'h', worstCasePico: 1n }]
  })
  t.deepEqual(
    (await callsOf(job.jobId)).map(({ state }) => state),
    ['unknown', 'intended']
  )
  t.is(provider.invoice().length, 0)
  const aborter = new AbortController()
  const hanging = tracker.runInScope(later, () => models.chat({ step: 'x', messages, signal: aborter.signal }))
  void eventually(async () => provider.invoice().length === 1).then(() => aborter.abort(new Error('cancelled')))
  await t.throwsAsync(hanging, { message: 'cancelled' })
  t.is((await callsOf(job.jobId)).at(-1)?.state, 'unknown')
})

test('refusals cost nothing, and what may pass is marked retryable with its wait', async (t) => {
  const { provider, tracker, models } = modelsWith({
    faults: [
      { kind: 'status', status: 400 },
      { kind: 'status', status: 500 },
      { kind: 'status', status: 429, retryAfterMs: 1_500 }
    ]
  })
  const job = await scope()
  const ask = (step: string) => tracker.runInScope(job, () => models.chat({ step, messages, signal }))
  t.like(await t.throwsAsync<JobError>(ask('1')), { retryable: false, code: 'provider_refused', takesAttempt: true })
  t.like(await t.throwsAsync<JobError>(ask('2')), { retryable: true, takesAttempt: true })
  const limited = await t.throwsAsync<JobError>(ask('3'), { instanceOf: JobError })
  t.like(limited, { retryable: true, code: 'provider_unavailable', takesAttempt: false })
  t.true((limited?.retryAfterMs ?? 0) >= 1_000)
  const calls = await callsOf(job.jobId)
  t.deepEqual(
    calls.map(({ state, cost_pico }) => [state, cost_pico]),
    [
      ['settled', '0'],
      ['settled', '0'],
      ['settled', '0']
    ]
  )
  t.is(provider.invoiceTotals().promptTokens, 0)
})

test('a model without a price is refused before anything is asked', async (t) => {
  const { provider, tracker, models } = modelsWith({}, 'offline-unheard-of')
  const job = await scope()
  const error = await t.throwsAsync<JobError>(
    tracker.runInScope(job, () => models.chat({ step: 'x', messages, signal }))
  )
  t.like(error, { code: 'unknown_price', retryable: false })
  t.is(provider.invoice().length, 0)
})

test('a stream is told piece by piece, and one that is cut is estimated and retryable', async (t) => {
  const { tracker, models, provider } = modelsWith()
  const job = await scope()
  const pieces: string[] = []
  const answer = await tracker.runInScope(job, () =>
    models.chat({ step: 'whole', messages, signal, onDelta: (text) => pieces.push(text) })
  )
  t.is(pieces.join(''), answer.content)
  t.true(pieces.length > 1)
  for (const fault of [
    { kind: 'cut' as const, afterChunks: 3 },
    { kind: 'no-finish' as const, afterChunks: 3 }
  ]) {
    provider.fail(fault)
    const error = await t.throwsAsync<JobError>(
      tracker.runInScope(job, () => models.chat({ step: fault.kind, messages, signal, onDelta: () => undefined }))
    )
    t.true(error?.retryable, fault.kind)
    const call = (await callsOf(job.jobId)).at(-1)
    t.is(call?.state, 'estimated', fault.kind)
    t.true(BigInt(call?.cost_pico) > 0n)
  }
})

test('embeddings asked for at once share one request, whose parts add up to the whole', async (t) => {
  const { provider, tracker, models } = modelsWith({}, 'offline-chat-mini', together)
  const jobs = await Promise.all([scope(), scope(), scope()])
  const answers = await Promise.all(
    jobs.map((job, n) =>
      tracker.runInScope(job, () =>
        models.embed({ step: 'e', texts: [`text number ${n}`, 'word '.repeat(n * 7 + 1)], signal })
      )
    )
  )
  t.is(provider.invoice().length, 1)
  t.deepEqual(
    answers.map(({ vectors }) => vectors.map((vector) => vector.length)),
    [
      [1536, 1536],
      [1536, 1536],
      [1536, 1536]
    ]
  )
  const shares = (await Promise.all(jobs.map(({ jobId }) => callsOf(jobId)))).flat()
  t.is(new Set(shares.map(({ id }) => id)).size, 1)
  const sum = shares.reduce((total, { prompt_tokens }) => total + Number(prompt_tokens), 0)
  t.is(sum, provider.invoice()[0]?.promptTokens)
  t.is(sum, Number(shares[0]?.call_prompt))
})

test("one person's large embeddings share no request with anybody's text", async (t) => {
  const { provider, tracker, models } = modelsWith({}, 'offline-chat-mini', together)
  const [busy, other] = [await scope(), await scope()]
  const texts = Array.from({ length: 257 }, () => 'word')
  await Promise.all([
    ...[1, 2].map((n) => tracker.runInScope(busy, () => models.embed({ step: `large-${n}`, texts, signal }))),
    tracker.runInScope(other, () => models.embed({ step: 'small', texts: ['one text'], signal }))
  ])
  const tokens = provider.invoice().map(({ promptTokens }) => promptTokens)
  t.is(tokens.length, 2)
  t.true(Math.min(...tokens) < 10, tokens.join(' '))
})

test('a member that is cancelled leaves the shared request to the others', async (t) => {
  const { tracker, models } = modelsWith({ latencyMs: 60 })
  const [kept, dropped] = [await scope(), await scope()]
  const aborter = new AbortController()
  const staying = tracker.runInScope(kept, () => models.embed({ step: 'e', texts: ['stay'], signal }))
  const leaving = tracker.runInScope(dropped, () => models.embed({ step: 'e', texts: ['go'], signal: aborter.signal }))
  setTimeout(() => aborter.abort(new Error('cancelled')), 20)
  await t.throwsAsync(leaving, { message: 'cancelled' })
  t.is((await staying).vectors.length, 1)
})

test('one bad input in a shared request fails alone', async (t) => {
  const { tracker, models } = modelsWith()
  const [good, bad] = [await scope(), await scope()]
  const fine = tracker.runInScope(good, () => models.embed({ step: 'e', texts: ['fine'], signal }))
  const wrong = tracker.runInScope(bad, () => models.embed({ step: 'e', texts: ['word '.repeat(9_000)], signal }))
  t.like(await t.throwsAsync<JobError>(wrong), { retryable: false })
  t.is((await fine).vectors.length, 1)
})

test('one bad input among many costs a few requests more, each booked by itself', async (t) => {
  const { provider, tracker, models } = modelsWith({}, 'offline-chat-mini', together)
  const scopes = await Promise.all(Array.from({ length: 16 }, () => scope()))
  const outcomes = await Promise.allSettled(
    scopes.map((job, n) => {
      const texts = [n === 11 ? '' : `fine ${n}`]
      return tracker.runInScope(job, () => models.embed({ step: 'e', texts, signal }))
    })
  )
  t.deepEqual(
    outcomes.map(({ status }) => status),
    scopes.map((_, n) => (n === 11 ? 'rejected' : 'fulfilled'))
  )
  const calls = new Map<string, { state: string; error: string | null }>()
  for (const { jobId } of scopes) for (const call of await callsOf(jobId)) calls.set(call.id, call)
  // 16, 8, 4, 2 and 1 with it fail; the other halves are answered.
  t.is(calls.size, 9)
  t.is([...calls.values()].filter(({ error }) => error === 'provider_refused').length, 5)
  t.true([...calls.values()].every(({ state }) => state === 'settled'))
  const billed = provider.invoice().reduce((sum, { promptTokens }) => sum + promptTokens, 0)
  let booked = 0
  for (const { jobId } of scopes) for (const call of await callsOf(jobId)) booked += Number(call.prompt_tokens)
  t.is(booked, billed)
})

test('a run that was overtaken or cancelled makes no call any more', async (t) => {
  const { provider, tracker, models } = modelsWith()
  const job = await scope()
  await nextRun(context(), job)
  const stale = tracker.runInScope(job, () => models.chat({ step: 'late', messages, signal }))
  t.like(await t.throwsAsync<JobError>(stale), { code: 'run_lost', retryable: false })

  const cancelled = await scope()
  await context().lifecycle.cancelOpen(cancelled.jobId, 'cancelled by a test')
  const kept = await scope()
  const embed = (of: UsageScope) => tracker.runInScope(of, () => models.embed({ step: 'e', texts: ['x'], signal }))
  const results = await Promise.allSettled([embed(cancelled), embed(kept)])
  t.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled']
  )
  t.is(provider.invoice().length, 1)
})
