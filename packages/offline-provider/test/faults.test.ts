import test from 'ava'
import OpenAI from 'openai'
import { CHAT, EMBEDDING, start, until, user, ways } from './setup.ts'

const messages = [user('What is a monad?')]

for (const way of ways) {
  test(`${way}: statuses come as the SDK's own error classes, once each, and bill nothing`, async (t) => {
    const { openai, provider } = await start(t, way)
    const classes = [
      [400, OpenAI.BadRequestError],
      [401, OpenAI.AuthenticationError],
      [408, OpenAI.APIError],
      [409, OpenAI.ConflictError],
      [429, OpenAI.RateLimitError],
      [500, OpenAI.InternalServerError],
      [503, OpenAI.InternalServerError]
    ] as const
    for (const [status, instanceOf] of classes) {
      provider.fail({ kind: 'status', status, retryAfterMs: 1_500 })
      const error = await t.throwsAsync(openai.chat.completions.create({ model: CHAT, messages }), { instanceOf })
      t.is(error?.status, status)
      t.true((error?.message ?? '').length > 10)
      if (status === 429)
        t.deepEqual([error?.headers?.get('retry-after'), error?.headers?.get('retry-after-ms')], ['2', '1500'])
    }
    await openai.chat.completions.create({ model: CHAT, messages })
    t.deepEqual(
      provider.invoice().map(({ status }) => status),
      [400, 401, 408, 409, 429, 500, 503, 200]
    )
    t.is(provider.invoiceTotals().billedRequests, 1)
  })

  test(`${way}: a reset is a connection error, billed only when the work was done`, async (t) => {
    const { openai, provider } = await start(t, way)
    for (const billed of [false, true]) {
      provider.fail({ kind: 'reset', billed })
      await t.throwsAsync(openai.chat.completions.create({ model: CHAT, messages }), {
        instanceOf: OpenAI.APIConnectionError
      })
      await until(() => typeof provider.invoice().at(-1)?.finishedAt === 'string')
    }
    const [first, second] = provider.invoice()
    t.like(first, { status: 0, cut: true, promptTokens: 0, completionTokens: 0 })
    t.like(second, { status: 0, cut: true })
    t.true((second?.completionTokens ?? 0) > 0)
    provider.fail({ kind: 'reset', path: '/embeddings', billed: true })
    await t.throwsAsync(openai.embeddings.create({ model: EMBEDDING, input: 'x' }), {
      instanceOf: OpenAI.APIConnectionError
    })
    t.is(provider.invoice()[2]?.promptTokens, 1)
  })

  test(`${way}: a hang lasts until the client gives up`, async (t) => {
    const { openai, provider } = await start(t, way)
    for (const billed of [false, true]) {
      provider.fail({ kind: 'hang', billed })
      const controller = new AbortController()
      const asked = openai.chat.completions.create({ model: CHAT, messages }, { signal: controller.signal })
      const line = () => provider.invoice()[billed ? 1 : 0]
      await until(() => provider.settings.get().faults.length === 0 && (!billed || (line()?.completionTokens ?? 0) > 0))
      controller.abort()
      await t.throwsAsync(asked, { instanceOf: OpenAI.APIUserAbortError })
      await until(() => typeof line()?.finishedAt === 'string')
    }
    t.true(provider.invoice().every(({ status, aborted }) => status === 0 && aborted))
    t.like(provider.invoice()[0], { status: 0, aborted: true, promptTokens: 0 })
  })

  test(`${way}: a cut stream breaks after so many pieces and bills them`, async (t) => {
    const { openai, provider } = await start(t, way)
    provider.settings.set({ scripts: [{ content: 'a b c d e f g h', times: null }] })
    for (const withUsage of [false, true]) {
      provider.fail({ kind: 'cut', afterChunks: 3, withUsage })
      let text = ''
      let usage: OpenAI.CompletionUsage | null | undefined
      const stream = await openai.chat.completions.create({
        model: CHAT,
        messages,
        stream: true,
        stream_options: { include_usage: true }
      })
      await t.throwsAsync(
        async () => {
          for await (const chunk of stream) {
            text += chunk.choices[0]?.delta.content ?? ''
            usage = chunk.usage ?? usage
          }
        },
        { any: true }
      )
      t.is(text, 'a b c')
      t.is(usage?.completion_tokens, withUsage ? 3 : undefined)
      t.like(provider.invoice().at(-1), { status: 200, cut: true, aborted: false, completionTokens: 3 })
    }
  })

  test(`${way}: a stream may end without a finish reason, and a body may be no JSON`, async (t) => {
    const { openai, provider } = await start(t, way)
    provider.fail({ kind: 'no-finish', afterChunks: 2 })
    const stream = await openai.chat.completions.create({
      model: CHAT,
      messages,
      stream: true,
      stream_options: { include_usage: true }
    })
    const chunks: OpenAI.Chat.ChatCompletionChunk[] = []
    for await (const chunk of stream) chunks.push(chunk)
    t.is(chunks.length, 3)
    t.true(chunks.every(({ choices, usage }) => choices[0]?.finish_reason === null && !usage))
    provider.fail({ kind: 'malformed' })
    await t.throwsAsync(openai.chat.completions.create({ model: CHAT, messages }), { any: true })
    provider.fail({ kind: 'malformed' })
    const broken = await openai.chat.completions.create({ model: CHAT, messages, stream: true })
    await t.throwsAsync(
      async () => {
        for await (const chunk of broken) t.truthy(chunk)
      },
      { any: true }
    )
    provider.fail({ kind: 'cut', path: 'embeddings' })
    await t.throwsAsync(openai.embeddings.create({ model: EMBEDDING, input: 'x' }), { any: true })
    t.deepEqual(
      provider.invoice().map(({ cut, promptTokens }) => [cut, promptTokens > 0]),
      [
        [true, true],
        [false, true],
        [false, true],
        [true, true]
      ]
    )
  })
}

test('a fault strikes only what it matches, as often as it says', async (t) => {
  const { openai, provider } = await start(t, 'in process')
  provider.settings.set({ faults: [{ kind: 'status', status: 500, model: CHAT, contains: 'bad', times: 2 }] })
  const ask = async (text: string, model = CHAT) => {
    const { status } = await openai.chat.completions
      .create({ model, messages: [user(text)] })
      .then(() => ({ status: 200 }))
      .catch((error: unknown) => ({ status: error instanceof OpenAI.APIError ? error.status : undefined }))
    return status
  }
  t.deepEqual(
    [await ask('good'), await ask('bad', 'offline-chat'), await ask('bad'), await ask('bad'), await ask('bad')],
    [200, 200, 500, 500, 200]
  )
})

test('chance is drawn from the seed, so a run can be repeated', async (t) => {
  const draw = async (seed: number) => {
    const { openai, provider } = await start(t, 'in process', {
      seed,
      faults: [{ kind: 'status', status: 503, probability: 0.4, times: null }]
    })
    for (let at = 0; at < 40; at++)
      await openai.embeddings.create({ model: EMBEDDING, input: 'x' }).catch(() => undefined)
    return provider.invoice().map(({ status }) => status)
  }
  const first = await draw(7)
  t.deepEqual(await draw(7), first)
  t.notDeepEqual(await draw(8), first)
  const failed = first.filter((status) => status === 503).length
  t.true(failed > 5 && failed < 30)
})

test('requests and tokens per minute are limited for each model, and waiting as told succeeds', async (t) => {
  let now = 1_800_000_000_000
  const clock = { now: () => now, sleep: async () => undefined }
  const { openai, provider } = await start(t, 'in process', { clock, limits: { requestsPerMinute: 2 } })
  const ask = (model = EMBEDDING, input = 'x') => openai.embeddings.create({ model, input }).withResponse()
  const { response } = await ask()
  t.is(response.headers.get('x-ratelimit-limit-requests'), '2')
  t.is(response.headers.get('x-ratelimit-remaining-requests'), '1')
  t.is(response.headers.get('x-ratelimit-reset-requests'), '30s')
  t.is(response.headers.get('x-ratelimit-limit-tokens'), '150000000')
  await ask()
  const error = await t.throwsAsync(ask(), { instanceOf: OpenAI.RateLimitError })
  t.like(error, { code: 'rate_limit_exceeded', type: 'requests' })
  await openai.chat.completions.create({ model: CHAT, messages })
  now += Number(error?.headers?.get('retry-after-ms'))
  await t.notThrowsAsync(ask())
  provider.settings.set({ limits: { requestsPerMinute: null, tokensPerMinute: 5 } })
  await ask(EMBEDDING, 'one two three four')
  const tokens = await t.throwsAsync(ask(EMBEDDING, 'one two three four'), { instanceOf: OpenAI.RateLimitError })
  t.is(tokens?.type, 'tokens')
  await t.throwsAsync(ask(EMBEDDING, 'one two three four five six seven'), { message: /Request too large/ })
})

test('scripted completions answer what they match, in order, and are used up', async (t) => {
  const { openai, provider } = await start(t, 'in process')
  provider.script({
    match: 'apples',
    toolCalls: [
      { name: 'count', arguments: { fruit: 'apple' } },
      { name: 'weigh', arguments: '{"broken' }
    ]
  })
  provider.script({ match: 'apples', content: 'Seven.' })
  provider.script({ system: 'strict', rawContent: '{"verdict": "pa' })
  provider.script({ match: (text, call) => text.length > 30 && call.tools.length === 0, content: 'Long.' })
  const ask = async (...asked: OpenAI.Chat.ChatCompletionMessageParam[]) =>
    (await openai.chat.completions.create({ model: CHAT, messages: asked })).choices[0]
  const first = await ask(user('How many apples?'))
  t.is(first?.finish_reason, 'tool_calls')
  t.deepEqual(
    first?.message.tool_calls?.map((call) => (call.type === 'function' ? call.function : undefined)),
    [
      { name: 'count', arguments: '{"fruit":"apple"}' },
      { name: 'weigh', arguments: '{"broken' }
    ]
  )
  t.is((await ask(user('How many apples?')))?.message.content, 'Seven.')
  t.is((await ask({ role: 'system', content: 'Be strict.' }, user('x')))?.message.content, '{"verdict": "pa')
  t.is((await ask(user('This is a question of more than thirty letters.')))?.message.content, 'Long.')
  t.regex((await ask(user('How many apples?')))?.message.content ?? '', /offline model/)
})

test('a listening provider is steered and its invoice read over HTTP', async (t) => {
  const { openai, provider, url } = await start(t, 'over a port')
  const root = url.replace('/v1', '/__offline')
  const patched = await fetch(`${root}/settings`, {
    method: 'PATCH',
    body: JSON.stringify({ faults: [{ kind: 'status', status: 503 }], limits: { requestsPerMinute: 9 } })
  })
  t.like(await patched.json(), { latencyMs: 0, limits: { requestsPerMinute: 9, tokensPerMinute: null } })
  await t.throwsAsync(openai.embeddings.create({ model: EMBEDDING, input: 'x' }), {
    instanceOf: OpenAI.InternalServerError
  })
  await openai.embeddings.create({ model: EMBEDDING, input: 'x' })
  const invoice = (await (await fetch(`${root}/invoice`)).json()) as { lines: unknown[]; totals: unknown }
  t.deepEqual(invoice.lines, JSON.parse(JSON.stringify(provider.invoice())))
  t.like(invoice.totals, { requests: 2, billedRequests: 1, promptTokens: 1 })
  const bad = await fetch(`${root}/settings`, { method: 'PATCH', body: JSON.stringify({ latencyMs: -1 }) })
  t.is(bad.status, 400)
  t.like(await bad.json(), { error: { message: 'latencyMs must be a number of at least 0.' } })
  t.is((await fetch(`${root}/settings`, { method: 'PATCH', body: '{"speed":1}' })).status, 400)
  t.is((await fetch(`${root}/settings`, { method: 'PATCH', body: 'x' })).status, 400)
  t.is((await fetch(`${root}/nothing`)).status, 404)
  await fetch(`${root}/reset`, { method: 'POST' })
  t.deepEqual(provider.invoice(), [])
  t.is(provider.settings.get().limits.requestsPerMinute, null)
})
