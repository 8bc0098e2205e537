import test from 'ava'
import OpenAI from 'openai'
import { runningApiForFile } from '../../helpers/running-api.ts'

const { api } = runningApiForFile(test, { RATE_LIMITS: JSON.stringify({ api_call: { limitPerMinute: 60, burst: 1 } }) })

/** An unchanged client of somebody new. */
async function client(options: ConstructorParameters<typeof OpenAI>[0] = {}) {
  const { key } = await api().newClient()
  return new OpenAI({ apiKey: key, baseURL: `${api().url}/v1`, maxRetries: 0, ...options })
}

const ask = async (method: string, path: string, key?: string) => {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const answer = await fetch(`${api().url}/v1${path}`, { method, headers })
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as { error: OpenAI.ErrorObject }
  }
}

test('the client lists the models: those of the provider, and the agents', async (t) => {
  const openai = await client()
  const ids: string[] = []
  for await (const model of openai.models.list()) ids.push(model.id)
  const { chatModel, embeddingModel } = api().context.config
  t.deepEqual(ids, [chatModel, embeddingModel, 'tutor', 'planner', 'reviewer', 'auto'])
})

test('a model is read by its name, and another one is model_not_found', async (t) => {
  const openai = await client()
  t.like(await openai.models.retrieve('tutor'), { id: 'tutor', object: 'model', owned_by: 'ai-goals-tracker' })
  const error = await t.throwsAsync(() => openai.models.retrieve('org/gpt-9'), { instanceOf: OpenAI.NotFoundError })
  t.like(error, { status: 404, code: 'model_not_found', param: 'model', type: 'invalid_request_error' })
  t.truthy((error as InstanceType<typeof OpenAI.APIError>).requestID)
})

test('every answer has the request id and what is left of the limits, in the fields of that API', async (t) => {
  const openai = await client()
  const { response, request_id: requestId } = await openai.models.list().withResponse()
  t.is(requestId, response.headers.get('x-request-id'))
  t.is(response.headers.get('x-ratelimit-limit-requests'), '60')
  t.is(response.headers.get('x-ratelimit-remaining-requests'), '59')
  t.is(response.headers.get('x-ratelimit-reset-requests'), '1s')
})

test('a key that is not valid is 401 invalid_api_key, and so is none', async (t) => {
  const openai = new OpenAI({ apiKey: 'gk_nobody', baseURL: `${api().url}/v1`, maxRetries: 0 })
  const error = await t.throwsAsync(() => openai.models.list(), { instanceOf: OpenAI.AuthenticationError })
  t.like(error, { code: 'invalid_api_key', type: 'invalid_request_error', param: null })
  const { status, body, headers } = await ask('GET', '/models')
  t.is(status, 401)
  t.is(body.error.code, 'invalid_api_key')
  t.false(headers.has('x-ratelimit-limit-requests'))
})

test('what is not there is a 404 in that shape, and the wrong method a 405', async (t) => {
  const { key } = await api().newClient()
  const unknown = await ask('POST', '/images/generations', key)
  t.is(unknown.status, 404)
  t.deepEqual(unknown.body.error, {
    message: 'Invalid URL (POST /v1/images/generations)',
    type: 'invalid_request_error',
    param: null,
    code: 'unknown_url'
  })
  t.truthy(unknown.headers.get('x-request-id'))
  const wrong = await ask('DELETE', '/models', key)
  t.is(wrong.status, 405)
  t.is(wrong.body.error.code, 'method_not_supported')
  t.regex(wrong.headers.get('allow') ?? '', /GET/)
})

test('beyond the rate limit it is 429 rate_limit_exceeded, and waiting as long as it says helps', async (t) => {
  const { key } = await api().newClient()
  const openai = new OpenAI({ apiKey: key, baseURL: `${api().url}/v1`, maxRetries: 0 })
  let error: unknown
  for (let sent = 0; sent < 100 && !error; sent++)
    error = await openai.models.list().then(
      () => undefined,
      (it) => it
    )
  t.true(error instanceof OpenAI.RateLimitError)
  const { headers, code, type } = error as InstanceType<typeof OpenAI.RateLimitError>
  t.deepEqual([code, type], ['rate_limit_exceeded', 'requests'])
  t.is(headers?.get('x-ratelimit-remaining-requests'), '0')
  t.is(Number(headers?.get('retry-after-ms')), Number(headers?.get('retry-after')) * 1_000)
  t.false(headers?.has('x-should-retry'))
  // The client waits by itself.
  await t.notThrowsAsync(() => openai.models.list({ maxRetries: 2 }))
})
