import type { Fault, MannerName } from '@goals/offline-provider'
import test from 'ava'
import type { JobError } from '../../lib/errors/job-error.ts'
import { readVectors } from '../../lib/models/read-vectors.ts'
import { contextForFile } from '../helpers/context.ts'
import { offlineModels, runningJob } from '../helpers/models.ts'

const context = contextForFile(test)
const signal = new AbortController().signal
const texts = ['a closure', 'a monad', 'un objetivo']

/** A client whose provider has this manner, so often. */
function client(name: MannerName, times: number | null = null, gatherMs = 100) {
  const fault: Fault = { kind: 'manner', name, times }
  return offlineModels(context(), { provider: { faults: [fault] }, gatherMs })
}

type Client = ReturnType<typeof client>

async function embedIn({ models, tracker }: Client, given = texts) {
  const job = await runningJob(context())
  return { job, result: tracker.runInScope(job, () => models.embed({ step: 'e', texts: given, signal })) }
}

const callsOf = (jobId: string) =>
  context()
    .knex('model_calls as c')
    .join('model_call_shares as s', 's.call_id', 'c.id')
    .where('s.job_id', jobId)
    .orderBy('c.id')
    .select('c.state', 'c.error', 'c.prompt_tokens', 's.response')

const rounded = (vectors: number[][]) => vectors.map((vector) => vector.map(Math.fround))

test('vectors are understood in whatever form they come', async (t) => {
  const usual = offlineModels(context())
  const expected = rounded((await (await embedIn(usual)).result).vectors)
  for (const name of [
    'vectors-as-numbers',
    'vectors-without-index',
    'vectors-in-rows',
    'vectors-reversed',
    'vectors-doubles',
    'vectors-none-as-base64',
    'refuses-encoding-format',
    'refuses-all-at-once',
    'refuses-one-by-one'
  ] as const) {
    const { result } = await embedIn(client(name))
    t.deepEqual(rounded((await result).vectors), expected, name)
  }
})

for (const name of [
  'vectors-null',
  'vectors-null-values',
  'vectors-strings',
  'vectors-too-large',
  'vectors-nan',
  'vectors-infinite',
  'vectors-nan-base64',
  'vectors-index-twice',
  'vectors-index-beyond',
  'vectors-missing',
  'vectors-none',
  'vectors-narrow',
  'vectors-endless',
  'vectors-as-page'
] as const) {
  test(`${name}: malformed, asked for twice, charged each time and never stored`, async (t) => {
    const bad = client(name)
    const { job, result } = await embedIn(bad)
    t.like(await t.throwsAsync<JobError>(result), { code: 'provider_malformed', retryable: false })
    const calls = await callsOf(job.jobId)
    t.is(bad.provider.invoice().length, 2)
    t.is(calls.length, 2)
    for (const call of calls) {
      t.like(call, { error: 'provider_malformed', response: null })
      t.true(['settled', 'estimated'].includes(call.state))
      t.is(Number(call.prompt_tokens), bad.provider.invoice()[0]?.promptTokens ?? 0)
    }
  })
}

test('once is asked again, and what is right then is taken', async (t) => {
  const { provider, ...rest } = client('vectors-null', 1)
  const { result } = await embedIn({ provider, ...rest })
  t.is((await result).vectors.length, 3)
  t.is(provider.invoice().length, 2)
})

test("one person's text without numbers spoils nobody else's vectors", async (t) => {
  const shared = client('vectors-null', 2, 3_000)
  const jobs = [await runningJob(context()), await runningJob(context())]
  const [odd, fine] = await Promise.allSettled(
    jobs.map((job, at) =>
      shared.tracker.runInScope(job, () =>
        shared.models.embed({ step: 'e', texts: [at === 0 ? 'odd' : 'fine'], signal })
      )
    )
  )
  t.is(fine?.status, 'fulfilled')
  t.is(odd?.status, 'rejected')
  t.is(shared.provider.invoice().length, 2)
})

test('usage that is missing or cannot be is estimated from what was sent', async (t) => {
  for (const name of [
    'usage-missing',
    'usage-null',
    'usage-empty',
    'usage-null-fields',
    'usage-fractions',
    'usage-negative',
    'usage-absurd'
  ] as const) {
    const odd = client(name)
    const { job, result } = await embedIn(odd)
    await result
    const [call] = await callsOf(job.jobId)
    t.like(call, { state: 'estimated', error: null }, name)
    t.is(Number(call?.prompt_tokens), odd.provider.invoice()[0]?.promptTokens ?? 0, name)
  }
})

test('an error inside of an answer costs nothing and is its own', async (t) => {
  const odd = client('vectors-error-inside')
  const { job, result } = await embedIn(odd)
  t.like(await t.throwsAsync<JobError>(result), { code: 'provider_refused', retryable: false })
  t.like((await callsOf(job.jobId))[0], { state: 'settled', prompt_tokens: '0' })
})

test('a list of vectors is read only when nobody can mistake whose each is', (t) => {
  const entry = (index: unknown) => ({ index, embedding: [1, 2] })
  const read = (data: unknown) => readVectors(data, 2, 2)
  t.deepEqual(read([entry(1), entry(0)]), [{ vector: [1, 2] }, { vector: [1, 2] }])
  t.deepEqual(read([entry(null), entry(undefined)]), [{ vector: [1, 2] }, { vector: [1, 2] }])
  for (const data of [
    null,
    {},
    [],
    [entry(0)],
    [entry(0), entry(0)],
    [entry(0), entry(2)],
    [entry(0), entry(-1)],
    [entry(0), entry(undefined)],
    [entry('0'), entry('1')],
    [entry(0.5), entry(1)],
    [entry(0), null]
  ]) {
    t.false(Array.isArray(read(data)), JSON.stringify(data))
  }
})
