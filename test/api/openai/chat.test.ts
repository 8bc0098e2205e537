import test, { type ExecutionContext } from 'ava'
import type OpenAI from 'openai'
import type { JobView } from '../../../lib/schemas/job.ts'
import { eventually } from '../../helpers/context.ts'
import { openAiForFile } from '../../helpers/openai.ts'

const { api, another, provider, newOpenAi } = await openAiForFile(test, { JOB_ATTEMPTS: '2' })

const model = 'offline-chat-mini'
type Page = { data: JobView[] }
type Chunk = OpenAI.Chat.ChatCompletionChunk

const hello = [{ role: 'user' as const, content: 'Which city is the capital of France?' }]

async function refusal(t: ExecutionContext, request: Promise<unknown>) {
  return (await t.throwsAsync(() => request)) as InstanceType<typeof OpenAI.APIError>
}

async function read(stream: AsyncIterable<Chunk>) {
  const chunks: Chunk[] = []
  for await (const chunk of stream) chunks.push(chunk)
  const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
  return { chunks, text }
}

/** Scripts what the model says to whoever says `word`. */
function answerTo(word: string, completion: { content?: string; toolCalls?: { name: string; arguments: string }[] }) {
  provider.script({
    ...completion,
    match: (last) => last.includes(word),
    times: null
  } as Parameters<typeof provider.script>[0])
}

test('an answer comes whole, as a job, with what it took', async (t) => {
  const { openai, send } = await newOpenAi()
  answerTo('capital of France', { content: 'Paris.' })
  const { data, response } = await openai.chat.completions.create({ model, messages: hello }).withResponse()
  t.like(data, { object: 'chat.completion', model })
  t.like(data.choices[0], {
    index: 0,
    message: { role: 'assistant', content: 'Paris.', refusal: null },
    finish_reason: 'stop',
    logprobs: null
  })
  const { prompt_tokens: prompt = 0, completion_tokens: completion = 0, total_tokens: total } = data.usage ?? {}
  t.is(total, prompt + completion)
  t.true(prompt > 0 && completion > 0)
  const { body: job } = await send<JobView>('GET', `/jobs/${response.headers.get('x-goals-job')}`)
  t.like(job, { action: 'chat_completion', status: 'completed', usage: { totalTokens: total } })
  t.is(data.id, `chatcmpl-${job.id.replaceAll('-', '')}`)
  t.not(job.usage.costUsd, '0.000000000000')
  t.is((await send<Page>('GET', '/chat/threads')).body.data.length, 0)
})

test('what the caller says goes to the provider as it is, and nothing besides', async (t) => {
  const { openai } = await newOpenAi()
  let seen: { messages: unknown; tools: unknown } | undefined
  provider.script({
    content: 'ok',
    match: (last, conversation) => {
      if (!last.includes('marked question')) return false
      seen = { messages: conversation.messages.map(({ role, text }) => [role, text]), tools: conversation.tools.length }
      return true
    }
  })
  await openai.chat.completions.create({
    model,
    messages: [
      { role: 'system', content: 'Be short.' },
      { role: 'developer', content: [{ type: 'text', text: 'Be kind.' }] },
      { role: 'user', content: 'first', name: 'ada' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'a1', type: 'function', function: { name: 'f', arguments: '{}' } }]
      },
      { role: 'tool', tool_call_id: 'a1', content: '42' },
      { role: 'user', content: 'marked question' }
    ]
  })
  t.deepEqual(seen, {
    messages: [
      ['system', 'Be short.'],
      ['developer', 'Be kind.'],
      ['user', 'first'],
      ['assistant', ''],
      ['tool', '42'],
      ['user', 'marked question']
    ],
    tools: 0
  })
})

test.serial('parameters go to the provider, those that are the platform’s business do not', async (t) => {
  const { openai } = await newOpenAi()
  const passed = {
    temperature: 0.3,
    top_p: 0.9,
    seed: 7,
    presence_penalty: 0.1,
    frequency_penalty: 0.2,
    logit_bias: { '5': 1 },
    stop: ['###'],
    verbosity: 'low'
  }
  const kept = { user: 'somebody', metadata: { a: 'b' }, service_tier: 'auto', store: false, prompt_cache_key: 'k' }
  /** Whether the body of the provider's request says something: a fault strikes those that do. */
  async function isSent(name: string, value: unknown): Promise<boolean> {
    const messages = [{ role: 'user', content: `Is ${name} sent?` }]
    const contains = JSON.stringify({ [name]: value }).slice(1, -1)
    provider.settings.set({ faults: [{ kind: 'status', status: 413, contains }] })
    const request = openai.chat.completions.create({ model, messages, ...passed, ...kept } as never)
    const status = await request.then(
      () => 200,
      (error: InstanceType<typeof OpenAI.APIError>) => error.status
    )
    return status === 413
  }
  for (const [name, value] of Object.entries(passed)) t.true(await isSent(name, value), name)
  for (const [name, value] of Object.entries(kept)) t.false(await isSent(name, value), name)
  provider.settings.set({ faults: [] })
})

test('a stream has the role first, then the text, why it ended, and the tokens when they are asked for', async (t) => {
  const { openai } = await newOpenAi()
  answerTo('stream of words', { content: 'One two three four five.' })
  const messages = [{ role: 'user' as const, content: 'a stream of words' }]
  const { data: stream, response } = await openai.chat.completions
    .create({ model, messages, stream: true, stream_options: { include_usage: true } })
    .withResponse()
  const { chunks, text } = await read(stream)
  t.is(text, 'One two three four five.')
  t.deepEqual(chunks[0]?.choices[0]?.delta, { role: 'assistant', content: '', refusal: null })
  t.is(chunks.at(-2)?.choices[0]?.finish_reason, 'stop')
  t.deepEqual(chunks.at(-1)?.choices, [])
  t.true((chunks.at(-1)?.usage?.completion_tokens ?? 0) > 0)
  t.true(chunks.slice(0, -1).every(({ usage }) => usage === null))
  t.is(new Set(chunks.map(({ id, created }) => `${id} ${created}`)).size, 1)
  t.regex(response.headers.get('content-type') ?? '', /^text\/event-stream/)
  t.truthy(response.headers.get('x-ratelimit-remaining-requests'))
  t.truthy(response.headers.get('x-request-id'))

  const plain = await read(await openai.chat.completions.create({ model, messages, stream: true }))
  t.true(plain.chunks.every((chunk) => !('usage' in chunk)))
  t.is(plain.text, text)
})

test('tools are called whole and streamed, with an index, and their results are answered', async (t) => {
  const { openai } = await newOpenAi()
  const call = { name: 'get_weather', arguments: '{"city":"Oslo"}' }
  provider.script({
    toolCalls: [call, { ...call, arguments: '{"city":"Rome"}' }],
    match: (last, { messages }) => last.includes('weather in both') && messages.at(-1)?.role === 'user',
    times: null
  } as Parameters<typeof provider.script>[0])
  const tools: OpenAI.Chat.ChatCompletionTool[] = [
    {
      type: 'function',
      function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } }
    }
  ]
  const messages: OpenAI.Chat.ChatCompletionMessageParam[] = [{ role: 'user', content: 'the weather in both' }]
  const whole = await openai.chat.completions.create({ model, messages, tools, tool_choice: 'auto' })
  const [choice] = whole.choices
  t.is(choice?.finish_reason, 'tool_calls')
  t.is(choice?.message.content, null)
  const calls = (choice?.message.tool_calls ?? []) as OpenAI.Chat.ChatCompletionMessageFunctionToolCall[]
  t.deepEqual(
    calls.map(({ type, function: called }) => [type, called.name, called.arguments]),
    [
      ['function', 'get_weather', '{"city":"Oslo"}'],
      ['function', 'get_weather', '{"city":"Rome"}']
    ]
  )
  t.is(new Set(calls.map(({ id }) => id)).size, 2)

  const streamed = await openai.chat.completions.stream({ model, messages, tools }).finalChatCompletion()
  t.is(streamed.choices[0]?.message.tool_calls?.length, 2)
  const { chunks } = await read(await openai.chat.completions.create({ model, messages, tools, stream: true }))
  const pieces = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? [])
  t.deepEqual(
    pieces.map(({ index, id }) => [index, id]),
    calls.map(({ id }, index) => [index, id])
  )
  t.is(chunks[0]?.choices[0]?.delta.content, null)

  provider.script({ content: 'It is cold in Oslo.', afterTool: 'get_weather', times: null })
  const after = await openai.chat.completions.create({
    model,
    tools,
    messages: [
      ...messages,
      { role: 'assistant', tool_calls: calls },
      ...calls.map(({ id }) => ({ role: 'tool' as const, tool_call_id: id, content: '4 degrees' }))
    ]
  })
  t.is(after.choices[0]?.message.content, 'It is cold in Oslo.')
})

test('an answer in a JSON schema is parsed by the client’s own helper', async (t) => {
  const { openai } = await newOpenAi()
  const schema = {
    type: 'object',
    properties: { city: { type: 'string' }, people: { type: 'integer' } },
    required: ['city', 'people'],
    additionalProperties: false
  }
  const completion = await openai.chat.completions.parse({
    model,
    messages: [{ role: 'user', content: 'Name a city with its people.' }],
    response_format: { type: 'json_schema', json_schema: { name: 'city', strict: true, schema } }
  })
  t.deepEqual(Object.keys(completion.choices[0]?.message.parsed ?? {}), ['city', 'people'])
})

test('the limit of tokens cuts the answer and says so', async (t) => {
  const { openai } = await newOpenAi()
  answerTo('a long tale', { content: 'once upon a time there was a very long tale '.repeat(20) })
  const messages = [{ role: 'user' as const, content: 'a long tale' }]
  for (const limit of [{ max_tokens: 5 }, { max_completion_tokens: 5 }]) {
    const { choices, usage } = await openai.chat.completions.create({ model, messages, ...limit })
    t.is(choices[0]?.finish_reason, 'length')
    t.is(usage?.completion_tokens, 5)
  }
  const stopped = await openai.chat.completions.create({ model, messages, stop: 'time' })
  t.is(stopped.choices[0]?.message.content, 'once upon a ')
})

test('what would change the answer and cannot be kept is refused, what changes nothing is not', async (t) => {
  const { openai, send } = await newOpenAi()
  const create = (body: object) => openai.chat.completions.create({ model, messages: hello, ...body } as never)
  const cases: [body: object, code: string, param: string][] = [
    [{ n: 2 }, 'unsupported_parameter', 'n'],
    [{ logprobs: true }, 'unsupported_parameter', 'logprobs'],
    [{ functions: [{ name: 'f' }] }, 'unsupported_parameter', 'functions'],
    [{ modalities: ['text', 'audio'] }, 'unsupported_parameter', 'modalities'],
    [{ web_search_options: {} }, 'unsupported_parameter', 'web_search_options'],
    [{ top_k: 5 }, 'unsupported_parameter', 'top_k'],
    [{ tools: [{ type: 'custom', custom: { name: 'f' } }] }, 'unsupported_parameter', 'tools[0].type'],
    [{ messages: [] }, 'invalid_value', 'messages'],
    [{ messages: undefined }, 'missing_required_parameter', 'messages'],
    [{ messages: [{ role: 'robot', content: 'x' }] }, 'invalid_value', 'messages[0].role'],
    [{ max_tokens: 0 }, 'invalid_value', 'max_tokens'],
    [{ temperature: 3 }, 'invalid_value', 'temperature']
  ]
  for (const [body, code, param] of cases) {
    const error = await refusal(t, create(body))
    t.deepEqual([error.status, error.code, error.param], [400, code, param], JSON.stringify(body))
  }
  for (const other of ['offline-embedding-small', 'gpt-9']) {
    t.like(await refusal(t, create({ model: other })), { status: 404, code: 'model_not_found', param: 'model' })
  }
  t.is((await send<Page>('GET', '/jobs')).body.data.length, 0)
  await t.notThrowsAsync(create({ n: 1, logprobs: false, prompt_cache_key: 'k', safety_identifier: 's', a_new_one: 1 }))
})

test('what the provider refuses about the request is the caller’s to know, with its code', async (t) => {
  const { openai } = await newOpenAi()
  const error = await refusal(t, openai.chat.completions.create({ model, messages: hello, reasoning_effort: 'low' }))
  t.like(error, { status: 400, code: 'unsupported_parameter', type: 'invalid_request_error' })
  t.is(error.headers?.get('x-should-retry'), 'false')
})

test('a stream that fails before its first word is answered by a status, later by an error in the stream', async (t) => {
  const { openai } = await newOpenAi({ maxRetries: 2 })
  const ask = (content: string) =>
    openai.chat.completions.create({ model, messages: [{ role: 'user', content }], stream: true })
  provider.fail({ kind: 'status', status: 500, contains: 'fails at once', times: null })
  t.like(await refusal(t, ask('fails at once')), { status: 503, code: 'provider_unavailable' })

  answerTo('fails in the middle', { content: 'one two three four five six' })
  provider.fail({ kind: 'cut', afterChunks: 3, contains: 'fails in the middle', times: null })
  const stream = await ask('fails in the middle')
  const words: string[] = []
  const error = await t.throwsAsync(async () => {
    for await (const { choices } of stream) words.push(choices[0]?.delta.content ?? '')
  })
  t.like(error, { code: 'provider_unreachable' })
  t.is(words.join(''), 'one two three')
})

test('a provider that breaks off once is not noticed: the stream goes on where it was', async (t) => {
  const { openai, send } = await newOpenAi()
  answerTo('breaks once', { content: 'alpha beta gamma delta epsilon' })
  provider.fail({ kind: 'cut', afterChunks: 2, contains: 'breaks once' })
  const messages = [{ role: 'user' as const, content: 'breaks once' }]
  const { text } = await read(await openai.chat.completions.create({ model, messages, stream: true }))
  t.is(text, 'alpha beta gamma delta epsilon')
  t.is((await send<Page>('GET', '/jobs')).body.data[0]?.attempts, 2)
})

test('another answer than the one that is with the client already ends the stream, and the job', async (t) => {
  const { openai, send } = await newOpenAi()
  let asked = 0
  for (const content of ['the first answer of two', 'another one']) {
    provider.script({ content, match: (last) => last.includes('changes its mind') && asked++ >= 0 })
  }
  provider.fail({ kind: 'cut', afterChunks: 2, contains: 'changes its mind' })
  const messages = [{ role: 'user' as const, content: 'changes its mind' }]
  const stream = await openai.chat.completions.create({ model, messages, stream: true })
  const error = await t.throwsAsync(() => read(stream))
  t.like(error, { code: 'stream_interrupted' })
  t.true(['cancelled', 'completed'].includes((await send<Page>('GET', '/jobs')).body.data[0]?.status ?? ''))
})

test.serial('a stream whose reader goes away ends its job and the provider’s request within a second', async (t) => {
  const { openai, send } = await newOpenAi()
  provider.settings.set({ tokenMs: 100 })
  t.teardown(() => provider.settings.set({ tokenMs: 0 }))
  answerTo('never ends', { content: 'word '.repeat(500) })
  const messages = [{ role: 'user' as const, content: 'never ends' }]
  const took: number[] = []
  for (let time = 1; time <= 3; time++) {
    const stream = await openai.chat.completions.create({ model, messages, stream: true })
    let from = 0
    for await (const { choices } of stream) {
      if (!choices[0]?.delta.content) continue
      from = performance.now()
      break // the client closes the connection
    }
    await eventually(async () => {
      const { data } = (await send<Page>('GET', '/jobs?status=cancelled')).body
      return data.length === time && provider.invoice().every(({ finishedAt }) => finishedAt !== null)
    })
    took.push(performance.now() - from)
  }
  t.true(Math.min(...took) < 1_000, took.join(' ms, '))
})

test.serial('a request that is stored, or has an Idempotency-Key, goes on without its client', async (t) => {
  const { openai, send } = await newOpenAi()
  provider.settings.set({ latencyMs: 1_000 })
  t.teardown(() => provider.settings.set({ latencyMs: 0 }))
  answerTo('goes on', { content: 'done' })
  const messages = [{ role: 'user' as const, content: 'goes on' }]
  const headers = { 'Idempotency-Key': 'come back' }
  const cut = new AbortController()
  const asked = [
    openai.chat.completions.create({ model, messages, store: true }, { signal: cut.signal }),
    openai.chat.completions.create({ model, messages }, { signal: cut.signal, headers })
  ]
  await eventually(async () => (await send<Page>('GET', '/jobs?status=active')).body.data.length === 2)
  cut.abort()
  for (const request of asked) await t.throwsAsync(request)
  await eventually(async () => (await send<Page>('GET', '/jobs?status=completed')).body.data.length === 2)
  const again = await openai.chat.completions.create({ model, messages }, { headers })
  t.is(again.choices[0]?.message.content, 'done')
  t.is((await send<Page>('GET', '/jobs')).body.data.length, 2)
})

test('a job that is cancelled elsewhere ends the request that waits for it', async (t) => {
  const { openai, send } = await newOpenAi({ maxRetries: 2 })
  provider.fail({ kind: 'hang', contains: 'waits for ever', times: null })
  const messages = [{ role: 'user' as const, content: 'waits for ever' }]
  const asked = openai.chat.completions.create({ model, messages })
  const job = await eventually(async () => (await send<Page>('GET', '/jobs?status=active')).body.data[0])
  await send('POST', `/jobs/${job.id}/cancel`)
  t.like(await refusal(t, asked), { status: 409, code: 'cancelled' })
})

test('an agent answers under its name, from what its user may read, with citations as annotations', async (t) => {
  const { openai, send } = await newOpenAi()
  const { body: course } = await send<{ id: string }>('POST', '/courses', {
    title: 'Programming',
    visibility: 'private'
  })
  const { body: document } = await send<{ id: string }>('POST', `/courses/${course.id}/documents`, {
    title: 'Closures',
    markdown: '# Closures\n\nA closure is a function that remembers the variables of the scope in which it was made.'
  })
  await eventually(
    async () => (await send<{ embeddedAt: string | null }>('GET', `/documents/${document.id}`)).body.embeddedAt
  )
  const messages: OpenAI.Chat.ChatCompletionMessageParam[] = [
    { role: 'system', content: 'You help with programming.' },
    { role: 'user', content: 'Hello!' },
    { role: 'assistant', content: 'Hello, what would you like to know?' },
    { role: 'user', content: 'What is a closure, and which variables does it remember?' }
  ]
  const { choices, model: named } = await openai.chat.completions.create({ model: 'tutor', messages, temperature: 0.2 })
  t.is(named, 'tutor')
  const { content, annotations = [] } = choices[0]?.message ?? {}
  t.regex(content ?? '', /closure/i)
  t.true(annotations.length > 0)
  for (const { type, url_citation: cited } of annotations) {
    t.is(type, 'url_citation')
    t.like(cited, { title: 'Closures', url: `${api().url}/api/v1/documents/${document.id}` })
    t.regex((content ?? '').slice(cited.start_index, cited.end_index), /^\[\d+\]$/)
  }
  const { chunks, text } = await read(await openai.chat.completions.create({ model: 'tutor', messages, stream: true }))
  t.is(text, content ?? '')
  t.true(
    chunks.some(({ choices: [choice] }) => (choice?.delta as { annotations?: unknown })?.annotations !== undefined)
  )
  t.is((await send<Page>('GET', '/chat/threads')).body.data.length, 0)
})

test('an agent refuses what it cannot keep', async (t) => {
  const { openai } = await newOpenAi()
  const create = (body: object) => openai.chat.completions.create({ model: 'auto', messages: hello, ...body } as never)
  const tool = { type: 'function', function: { name: 'f' } }
  const cases: [body: object, code: string, param: string][] = [
    [{ tools: [tool] }, 'unsupported_parameter', 'tools'],
    [{ response_format: { type: 'json_object' } }, 'unsupported_parameter', 'response_format'],
    [{ stop: ['x'] }, 'unsupported_parameter', 'stop'],
    [{ messages: [{ role: 'assistant', content: 'x' }] }, 'invalid_value', 'messages[0]'],
    [
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:,' } }] }] },
      'invalid_value',
      'messages[0].content[0]'
    ],
    [{ messages: [{ role: 'tool', tool_call_id: 'a', content: 'x' }, ...hello] }, 'invalid_value', 'messages[0].role']
  ]
  for (const [body, code, param] of cases) {
    const error = await refusal(t, create(body))
    t.deepEqual([error.status, error.code, error.param], [400, code, param], JSON.stringify(body))
  }
})

test.serial(
  'requests whose API process ends are paid once: the client comes back by itself, and joins its job',
  async (t) => {
    const first = await another()
    let current = first.url
    // As a load balancer would, with nothing else changed.
    const balance: typeof fetch = (url, init) => fetch((url as string).replace(api().url, current), init)
    const { openai, send } = await newOpenAi({ maxRetries: 2, fetch: balance })
    answerTo('asked once', { content: 'answered once' })
    provider.settings.set({ latencyMs: 700 })
    t.teardown(() => provider.settings.set({ latencyMs: 0 }))
    const contents = Array.from({ length: 24 }, (_, index) => `${index}: asked once`)
    for (const contains of contents.slice(0, 4)) provider.fail({ kind: 'status', status: 500, contains })
    const before = provider.invoiceTotals().billedRequests
    const answers = contents.map((content) =>
      openai.chat.completions.create({ model, messages: [{ role: 'user', content }] })
    )
    await eventually(async () => (await send<Page>('GET', '/jobs?limit=100')).body.data.length === contents.length)
    current = api().url
    await first.leave()
    for (const answer of await Promise.all(answers)) t.is(answer.choices[0]?.message.content, 'answered once')
    const { data } = (await send<Page>('GET', '/jobs?limit=100')).body
    t.deepEqual([data.length, new Set(data.map(({ status }) => status)).size], [contents.length, 1])
    t.is(provider.invoiceTotals().billedRequests - before, contents.length)
  }
)
