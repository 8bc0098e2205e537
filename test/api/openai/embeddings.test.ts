import test, { type ExecutionContext } from 'ava'
import OpenAI from 'openai'
import type { JobView } from '../../../lib/schemas/job.ts'
import { eventually } from '../../helpers/context.ts'
import { openAiForFile } from '../../helpers/openai.ts'

const { api, another, provider, newOpenAi } = await openAiForFile(test, { JOB_ATTEMPTS: '2' })

const model = 'offline-embedding-small'
type Page = { data: JobView[] }

/** The refusal of a request. */
async function refusal(t: ExecutionContext, request: Promise<unknown>) {
  return (await t.throwsAsync(() => request)) as InstanceType<typeof OpenAI.APIError>
}

// By itself: texts of others in the same call to the provider would share its tokens with these.
test.serial('texts are embedded as a job, and what the client decodes from base64 is what floats say', async (t) => {
  const { openai, send } = await newOpenAi()
  const input = ['a stack', 'a queue']
  const { data: decoded, response } = await openai.embeddings.create({ model, input }).withResponse()
  const floats = await openai.embeddings.create({ model, input, encoding_format: 'float', dimensions: 1_536 })
  t.deepEqual(
    decoded.data.map(({ index, object }) => [index, object]),
    [
      [0, 'embedding'],
      [1, 'embedding']
    ]
  )
  t.deepEqual(decoded.data, floats.data)
  t.is(floats.data[0]?.embedding.length, 1_536)
  t.like(decoded, { object: 'list', model })
  t.is(decoded.usage.prompt_tokens, 4)
  t.is(decoded.usage.total_tokens, 4)

  const { body: page } = await send<Page>('GET', '/jobs')
  t.is(page.data.length, 2)
  t.is(page.data.at(-1)?.id, response.headers.get('x-goals-job') ?? '')
  t.like(page.data.at(-1), { action: 'embedding_generation', status: 'completed', usage: { promptTokens: 4 } })
  t.truthy(response.headers.get('x-ratelimit-limit-requests'))
})

test('one text is a list of one, and two thousand are taken at once', async (t) => {
  const { openai } = await newOpenAi()
  t.is((await openai.embeddings.create({ model, input: 'a heap' })).data.length, 1)
  const many = Array.from({ length: 2_048 }, (_, index) => `text ${index}`)
  const { data } = await openai.embeddings.create({ model, input: many })
  t.deepEqual(
    data.map(({ index }) => index),
    many.map((_, index) => index)
  )
  const [alone] = (await openai.embeddings.create({ model, input: 'text 2047' })).data
  t.deepEqual(data[2_047]?.embedding, alone?.embedding)
})

test('what cannot be kept is refused before there is a job, with the parameter that it is about', async (t) => {
  const { openai, send } = await newOpenAi()
  const create = (body: object) => openai.embeddings.create({ model, input: 'x', ...body } as never)
  const cases: [body: object, status: number, code: string, param: string][] = [
    [{ dimensions: 256 }, 400, 'unsupported_parameter', 'dimensions'],
    [{ model: 'text-embedding-ada-002' }, 404, 'model_not_found', 'model'],
    [{ model: 'tutor' }, 404, 'model_not_found', 'model'],
    [{ input: undefined }, 400, 'missing_required_parameter', 'input'],
    [{ input: [] }, 400, 'invalid_value', 'input'],
    [{ input: ['x', ''] }, 400, 'invalid_value', 'input[1]'],
    [{ input: [1, 2, 3] }, 400, 'invalid_value', 'input[0]'],
    [{ input: [[1], [2]] }, 400, 'invalid_value', 'input[0]'],
    [{ input: 'x\u0000' }, 400, 'invalid_value', 'input'],
    [{ encoding_format: 'hex' }, 400, 'invalid_value', 'encoding_format']
  ]
  for (const [body, status, code, param] of cases) {
    const error = await refusal(t, create(body))
    t.deepEqual([error.status, error.code, error.param], [status, code, param], JSON.stringify(body))
  }
  t.regex((await refusal(t, create({ input: [1, 2, 3] }))).message, /arrays of tokens are not taken/)
  await t.notThrowsAsync(create({ user: 'somebody', some_future_field: true }))
  t.is((await send<Page>('GET', '/jobs')).body.data.length, 1)
})

test('bodies that cannot be read are refused in that shape: 400, 413, 415', async (t) => {
  const { key } = await api().newClient()
  const post = async (body: string, type = 'application/json') => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': type }
    const answer = await fetch(`${api().url}/v1/embeddings`, { method: 'POST', headers, body })
    return [answer.status, ((await answer.json()) as { error: { code: string } }).error.code]
  }
  t.deepEqual(await post('{'), [400, 'invalid_json'])
  t.deepEqual(await post('input=x', 'text/plain'), [415, 'unsupported_media_type'])
  t.deepEqual(await post(JSON.stringify({ model, input: 'x'.repeat(5 * 1024 * 1024) })), [413, 'payload_too_large'])
})

test('what fails once the job is there says that it need not be sent again, and the client does not', async (t) => {
  const { openai, send } = await newOpenAi({ maxRetries: 2 })
  const text = 'a text that the provider fails on'
  provider.fail({ kind: 'status', status: 500, contains: text, times: null })
  const error = await refusal(t, openai.embeddings.create({ model, input: text }))
  t.like(error, { status: 503, code: 'provider_unavailable', type: 'server_error' })
  t.is(error.headers?.get('x-should-retry'), 'false')
  const { body: page } = await send<Page>('GET', '/jobs')
  t.deepEqual(
    page.data.map(({ id, status, attempts }) => ({ id, status, attempts })),
    [{ id: error.headers?.get('x-goals-job') ?? '', status: 'failed', attempts: 2 }]
  )
})

test('what the provider refuses about the request is a 400 with its code', async (t) => {
  const { openai } = await newOpenAi()
  const error = await refusal(t, openai.embeddings.create({ model, input: 'word '.repeat(9_000) }))
  t.like(error, { status: 400, code: 'context_length_exceeded', param: 'input' })
})

test('a budget that is used up is insufficient_quota, is not tried again, and no job', async (t) => {
  const { openai, id, send } = await newOpenAi({ maxRetries: 2 })
  const admin = await api().newClient('admin')
  await admin.send('PUT', `/admin/budgets/users/${id}`, { dailyUsd: '0.000000000001', monthlyUsd: null })
  const error = await refusal(t, openai.embeddings.create({ model, input: 'too dear' }))
  t.like(error, { status: 429, code: 'insufficient_quota', type: 'insufficient_quota' })
  t.is(error.headers?.get('x-should-retry'), 'false')
  t.true(Number(error.headers?.get('retry-after')) > 0)
  t.is((await send<Page>('GET', '/jobs')).body.data.length, 0)
})

test('an Idempotency-Key makes one job of equal requests, and refuses another body', async (t) => {
  const { openai, send } = await newOpenAi()
  const headers = { 'Idempotency-Key': 'once' }
  const create = (input: string) => openai.embeddings.create({ model, input }, { headers })
  const [one, two] = await Promise.all([create('twice'), create('twice')])
  t.deepEqual(one, two)
  t.is((await send<Page>('GET', '/jobs')).body.data.length, 1)
  t.like(await refusal(t, create('another')), { status: 422, code: 'idempotency_mismatch' })
})

test.serial(
  'a repetition that the client marks joins the job whose answer got lost, and one that is answered makes a new one',
  async (t) => {
    const { openai, send } = await newOpenAi({ maxRetries: 1, timeout: 1_000 })
    const input = 'an answer that gets lost'
    const before = provider.invoice().length
    // Longer than the client waits, and shorter than it waits twice.
    provider.settings.set({ latencyMs: 1_200 })
    t.teardown(() => provider.settings.set({ latencyMs: 0 }))
    const { response } = await openai.embeddings.create({ model, input }).withResponse()
    const jobs = async () => (await send<Page>('GET', '/jobs')).body.data
    t.deepEqual(
      (await jobs()).map(({ id, status }) => [id, status]),
      [[response.headers.get('x-goals-job'), 'completed']]
    )
    t.is(provider.invoice().length - before, 1)
    await eventually(async () => {
      await openai.embeddings.create({ model, input }, { headers: { 'x-stainless-retry-count': '1' }, timeout: 9_000 })
      return (await jobs()).length === 2
    })
  }
)

test.serial('a repetition finds its job at another process too', async (t) => {
  const second = await another()
  const { openai, key, send } = await newOpenAi()
  const input = 'asked here, and asked again there'
  const before = provider.invoice().length
  provider.settings.set({ latencyMs: 800 })
  t.teardown(() => provider.settings.set({ latencyMs: 0 }))
  const cut = new AbortController()
  const lost = openai.embeddings.create({ model, input }, { signal: cut.signal })
  await eventually(async () => (await send<Page>('GET', '/jobs')).body.data.length === 1)
  cut.abort()
  await t.throwsAsync(lost)
  const there = new OpenAI({ apiKey: key, baseURL: `${second.url}/v1`, maxRetries: 0 })
  const headers = { 'x-stainless-retry-count': '1' }
  t.is((await there.embeddings.create({ model, input }, { headers })).data.length, 1)
  const { data } = (await send<Page>('GET', '/jobs')).body
  t.deepEqual(
    data.map(({ status }) => status),
    ['completed']
  )
  t.is(provider.invoice().length - before, 1)
})

test.serial('a client that goes away takes its job with it within a second', async (t) => {
  provider.settings.set({ latencyMs: 20_000 })
  t.teardown(() => provider.settings.set({ latencyMs: 0 }))
  const { openai, send } = await newOpenAi()
  const count = async (status: string) => (await send<Page>('GET', `/jobs?status=${status}`)).body.data.length
  const took: number[] = []
  // The machine may be busy with other things: the best of three is what it takes.
  for (let time = 1; time <= 3; time++) {
    const cut = new AbortController()
    const asked = openai.embeddings.create({ model, input: 'nobody waits for this' }, { signal: cut.signal })
    await eventually(async () => (await count('active')) === 1)
    const from = performance.now()
    cut.abort()
    await t.throwsAsync(asked)
    await eventually(async () => (await count('cancelled')) === time)
    took.push(performance.now() - from)
  }
  t.true(Math.min(...took) < 1_000, took.join(' ms, '))
})
