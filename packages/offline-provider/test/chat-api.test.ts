import { countTokens } from '@goals/text'
import test from 'ava'
import OpenAI from 'openai'
import { CHAT, start, system, tool, user, ways } from './setup.ts'

for (const way of ways) {
  test(`${way}: an answer has the wire format's fields and its usage adds up`, async (t) => {
    const { openai, provider } = await start(t, way)
    const { data, request_id: requestId } = await openai.chat.completions
      .create(
        { model: CHAT, messages: [user('What is a monad?')], user: 'u-7' },
        { headers: { 'x-client-request-id': 'call-1' } }
      )
      .withResponse()
    t.is(data.object, 'chat.completion')
    t.regex(data.id, /^chatcmpl-\w{29}$/)
    const [choice] = data.choices
    t.like(choice, { index: 0, finish_reason: 'stop', logprobs: null })
    t.like(choice?.message, { role: 'assistant', refusal: null })
    const content = choice?.message.content ?? ''
    t.regex(content, /offline model/)
    t.is(data.usage?.completion_tokens, countTokens(content))
    t.is(data.usage?.total_tokens, (data.usage?.prompt_tokens ?? 0) + countTokens(content))
    t.deepEqual(
      provider.invoice().map(({ at: _at, finishedAt: _finishedAt, ...line }) => line),
      [
        {
          id: 1,
          path: '/v1/chat/completions',
          model: CHAT,
          stream: false,
          status: 200,
          promptTokens: data.usage?.prompt_tokens ?? 0,
          cachedTokens: 0,
          completionTokens: countTokens(content),
          reasoningTokens: 0,
          costUsd: (((data.usage?.prompt_tokens ?? 0) * 150 + countTokens(content) * 600) / 1e9).toFixed(12),
          aborted: false,
          cut: false,
          manner: null,
          requestId: requestId ?? '',
          clientRequestId: 'call-1',
          user: 'u-7'
        }
      ]
    )
  })

  test(`${way}: the models are listed and one can be read`, async (t) => {
    const { openai, provider } = await start(t, way)
    const ids = (await openai.models.list()).data.map(({ id }) => id)
    t.deepEqual(ids, ['offline-chat-mini', 'offline-chat', 'offline-reasoner', 'offline-embedding-small'])
    t.like(await openai.models.retrieve('offline-chat'), { id: 'offline-chat', object: 'model', owned_by: 'offline' })
    await t.throwsAsync(openai.models.retrieve('gpt-0'), { instanceOf: OpenAI.NotFoundError })
    t.deepEqual(provider.invoice(), [])
  })

  test(`${way}: a wrong key, path, method or body is refused as the API does it`, async (t) => {
    const { openai, url, fetch } = await start(t, way, { apiKey: 'sk-right' })
    await openai.chat.completions.create({ model: CHAT, messages: [user('hi')] })
    const wrong = openai.withOptions({ apiKey: 'sk-wrong-and-long' })
    const error = await t.throwsAsync(wrong.chat.completions.create({ model: CHAT, messages: [user('hi')] }), {
      instanceOf: OpenAI.AuthenticationError
    })
    t.is(error?.code, 'invalid_api_key')
    t.notRegex(error?.message ?? '', /sk-wrong-and-long/)
    const raw = async (method: string, path: string, body?: string, key = 'sk-right') => {
      const headers = key ? { authorization: `Bearer ${key}` } : {}
      const response = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) })
      return {
        status: response.status,
        error: ((await response.json()) as { error: { message: string; type: string } }).error
      }
    }
    t.is((await raw('POST', '/chat/completions', '{}', '')).status, 401)
    t.is((await raw('GET', '/chat/completions')).status, 405)
    t.is((await raw('POST', '/models', '{}')).status, 405)
    t.like(await raw('POST', '/completions', '{}'), {
      status: 404,
      error: { message: 'Invalid URL (POST /v1/completions)' }
    })
    t.like(await raw('POST', '/chat/completions', '{"model"'), {
      status: 400,
      error: { type: 'invalid_request_error' }
    })
    t.is((await raw('POST', '/chat/completions', '[]')).status, 400)
  })
}

test('every wrong parameter is named in the refusal, and nothing is billed', async (t) => {
  const { openai, provider } = await start(t, 'in process')
  const refuse = async (body: Record<string, unknown>) => {
    const request = {
      model: CHAT,
      messages: [user('hi')],
      ...body
    } as unknown as OpenAI.Chat.ChatCompletionCreateParamsNonStreaming
    const error = await t.throwsAsync(openai.chat.completions.create(request), { instanceOf: OpenAI.APIError })
    t.truthy(error?.requestID)
    return { status: error?.status, type: error?.type, param: error?.param, code: error?.code }
  }
  const called = {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } }]
  }
  t.like(await refuse({ model: 'gpt-0' }), { status: 404, code: 'model_not_found', type: 'invalid_request_error' })
  t.like(await refuse({ model: 'offline-embedding-small' }), { status: 404, param: 'model' })
  t.like(await refuse({ messages: undefined }), { status: 400, param: 'messages', code: 'missing_required_parameter' })
  t.like(await refuse({ messages: 'hi' }), { status: 400, param: 'messages', code: 'invalid_type' })
  t.like(await refuse({ messages: [] }), { status: 400, param: 'messages', code: 'empty_array' })
  t.like(await refuse({ messages: [{ role: 'robot', content: 'x' }] }), {
    param: 'messages[0].role',
    code: 'invalid_value'
  })
  t.like(await refuse({ messages: [{ role: 'user' }] }), { param: 'messages[0].content' })
  t.like(await refuse({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] }), {
    param: 'messages[0].content[0]'
  })
  t.like(await refuse({ messages: [user('x'), { role: 'tool', tool_call_id: 'call_9', content: 'x' }] }), {
    param: 'messages.[1].role'
  })
  t.like(await refuse({ messages: [user('x'), called, user('y')] }), { status: 400, param: 'messages.[1].role' })
  t.like(await refuse({ temperature: 3 }), { param: 'temperature', code: 'decimal_above_max_value' })
  t.like(await refuse({ temperature: 'hot' }), { param: 'temperature', code: 'invalid_type' })
  t.like(await refuse({ top_p: -1 }), { param: 'top_p', code: 'decimal_below_min_value' })
  t.like(await refuse({ n: 5 }), { param: 'n', code: 'integer_above_max_value' })
  t.like(await refuse({ max_tokens: 0 }), { param: 'max_tokens', code: 'integer_below_min_value' })
  t.like(await refuse({ max_completion_tokens: 1_000_000 }), { param: 'max_completion_tokens' })
  t.like(await refuse({ max_tokens: 5, max_completion_tokens: 5 }), { param: 'max_tokens' })
  t.like(await refuse({ stop: ['a', 'b', 'c', 'd', 'e'] }), { param: 'stop', code: 'array_above_max_length' })
  t.like(await refuse({ logprobs: true }), { param: 'logprobs' })
  t.like(await refuse({ reasoning_effort: 'high' }), { param: 'reasoning_effort', code: 'unsupported_parameter' })
  t.like(await refuse({ stream_options: { include_usage: true } }), { param: 'stream_options' })
  t.like(await refuse({ tool_choice: 'auto' }), { param: 'tool_choice' })
  t.like(await refuse({ tools: [] }), { param: 'tools', code: 'empty_array' })
  t.like(await refuse({ tools: [{ type: 'function', function: { name: 'a b' } }] }), {
    param: 'tools[0].function.name'
  })
  t.like(await refuse({ tools: [tool('f', {})], tool_choice: { type: 'function', function: { name: 'g' } } }), {
    param: 'tool_choice'
  })
  t.like(await refuse({ response_format: { type: 'json_object' } }), { param: 'messages' })
  t.like(await refuse({ response_format: { type: 'xml' } }), { param: 'response_format.type' })
  t.like(await refuse({ response_format: { type: 'json_schema', json_schema: { schema: {} } } }), {
    param: 'response_format.json_schema.name'
  })
  const open = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] }
  t.like(
    await refuse({ response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema: open } } }),
    { param: 'response_format' }
  )
  t.like(await refuse({ surprise: 1 }), { param: 'surprise', code: 'unknown_parameter' })
  t.like(await refuse({ messages: [user('word '.repeat(130_000))] }), {
    code: 'context_length_exceeded',
    param: 'messages'
  })
  t.like(provider.invoiceTotals(), { promptTokens: 0, completionTokens: 0, billedRequests: 0 })
  t.true(provider.invoice().every(({ status, finishedAt }) => status >= 400 && finishedAt !== null))
})

test('the token limit and stop sequences end an answer', async (t) => {
  const { openai } = await start(t, 'in process')
  const messages = [user('What is a monad?')]
  const whole = (await openai.chat.completions.create({ model: CHAT, messages })).choices[0]?.message.content ?? ''
  const limited = await openai.chat.completions.create({ model: CHAT, messages, max_completion_tokens: 5 })
  t.is(limited.choices[0]?.finish_reason, 'length')
  t.is(limited.usage?.completion_tokens, 5)
  t.true(whole.startsWith(limited.choices[0]?.message.content ?? '-'))
  const stopped = await openai.chat.completions.create({ model: CHAT, messages, stop: ['quotes', 'given'] })
  t.is(stopped.choices[0]?.finish_reason, 'stop')
  t.is(stopped.choices[0]?.message.content, whole.slice(0, whole.indexOf('quotes')))
})

test('several choices are several times the tokens', async (t) => {
  const { openai } = await start(t, 'in process')
  const one = await openai.chat.completions.create({ model: CHAT, messages: [user('Hello there')] })
  const three = await openai.chat.completions.create({
    model: CHAT,
    messages: [user('Hello there')],
    n: 3,
    seed: 5,
    temperature: 0.2
  })
  t.deepEqual(
    three.choices.map(({ index }) => index),
    [0, 1, 2]
  )
  t.is(three.usage?.completion_tokens, 3 * (one.usage?.completion_tokens ?? 0))
  t.is(three.usage?.prompt_tokens, one.usage?.prompt_tokens)
})

test('a long prompt whose beginning was seen before counts that part as cached, in steps of 128', async (t) => {
  const { openai, provider } = await start(t, 'in process')
  const long = system('Rules of the house. '.repeat(400))
  const ask = async (question: string, model = CHAT) => {
    const { usage } = await openai.chat.completions.create({ model, messages: [long, user(question)] })
    return { prompt: usage?.prompt_tokens ?? 0, cached: usage?.prompt_tokens_details?.cached_tokens ?? 0 }
  }
  t.is((await ask('one')).cached, 0)
  const second = await ask('two')
  t.true(second.cached >= 1_024 && second.cached < second.prompt)
  t.is(second.cached % 128, 0)
  t.is((await ask('two', 'offline-chat')).cached, 0, 'another model has a cache of its own')
  t.is(provider.invoice()[1]?.cachedTokens, second.cached)
  const short = await openai.chat.completions.create({ model: CHAT, messages: [user('short')] })
  t.is(short.usage?.prompt_tokens_details?.cached_tokens, 0)
})

test('reasoning is counted within the completion and held to its limit', async (t) => {
  const { openai, provider } = await start(t, 'in process')
  const ask = async (extra: Partial<OpenAI.Chat.ChatCompletionCreateParamsNonStreaming>) => {
    const { usage, choices } = await openai.chat.completions.create({
      model: 'offline-reasoner',
      messages: [user('Why?')],
      ...extra
    })
    return {
      completion: usage?.completion_tokens ?? 0,
      reasoning: usage?.completion_tokens_details?.reasoning_tokens ?? -1,
      choice: choices[0]
    }
  }
  const plain = await ask({})
  t.is(plain.reasoning, 0)
  const medium = await ask({ reasoning_effort: 'medium' })
  t.is(medium.reasoning, 256)
  t.is(medium.completion, 256 + plain.completion)
  const starved = await ask({ reasoning_effort: 'high', max_completion_tokens: 100 })
  t.deepEqual(
    [starved.reasoning, starved.completion, starved.choice?.finish_reason, starved.choice?.message.content],
    [100, 100, 'length', '']
  )
  t.is(provider.invoiceTotals().reasoningTokens, 356)
  await t.throwsAsync(ask({ max_tokens: 9 }), { message: /Use 'max_completion_tokens' instead/ })
})
