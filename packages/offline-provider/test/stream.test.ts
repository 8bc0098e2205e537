import test from 'ava'
import OpenAI from 'openai'
import { CHAT, start, system, tool, until, user, ways } from './setup.ts'

const source = system('[1] Bees\nHoney bees dance to show where food is. They dance in the dark of the hive.')
const question = user('How do honey bees show where food is?')

for (const way of ways) {
  test(`${way}: the deltas of a stream are the answer, and usage comes last when asked for`, async (t) => {
    const { openai, provider } = await start(t, way)
    const whole = await openai.chat.completions.create({ model: CHAT, messages: [source, question] })
    const stream = await openai.chat.completions.create({
      model: CHAT,
      messages: [source, question],
      stream: true,
      stream_options: { include_usage: true }
    })
    const chunks: OpenAI.Chat.ChatCompletionChunk[] = []
    for await (const chunk of stream) chunks.push(chunk)
    t.deepEqual(chunks[0]?.choices[0]?.delta, { role: 'assistant', content: '', refusal: null })
    t.is(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), whole.choices[0]?.message.content ?? '')
    t.deepEqual(chunks.at(-2)?.choices[0], { index: 0, delta: {}, logprobs: null, finish_reason: 'stop' })
    t.deepEqual(chunks.at(-1)?.choices, [])
    t.deepEqual(chunks.at(-1)?.usage, whole.usage)
    t.true(chunks.slice(0, -1).every(({ usage }) => usage === null))
    t.is(new Set(chunks.map(({ id }) => id)).size, 1)
    t.is(chunks.length, (whole.usage?.completion_tokens ?? 0) + 3)
    await until(() => provider.invoice().every(({ finishedAt }) => finishedAt !== null))
    t.like(provider.invoice()[1], {
      stream: true,
      aborted: false,
      cut: false,
      completionTokens: whole.usage?.completion_tokens
    })
  })

  test(`${way}: tool calls are streamed with their index, name first and arguments after`, async (t) => {
    const { openai } = await start(t, way)
    const stream = await openai.chat.completions.create({
      model: CHAT,
      messages: [user('Create these tasks:\n- Read about bees\n- Draw a hive')],
      tools: [tool('create_task', { title: { type: 'string' } })],
      stream: true
    })
    const calls: { id: string; name: string; arguments: string }[] = []
    let finish: string | null = null
    for await (const { choices, usage } of stream) {
      t.is(usage, undefined)
      for (const part of choices[0]?.delta.tool_calls ?? []) {
        const call = (calls[part.index] ??= { id: part.id ?? '', name: '', arguments: '' })
        call.name += part.function?.name ?? ''
        call.arguments += part.function?.arguments ?? ''
      }
      finish = choices[0]?.finish_reason ?? finish
    }
    t.is(finish, 'tool_calls')
    t.deepEqual(
      calls.map((call) => [call.name, call.arguments]),
      [
        ['create_task', '{"title":"Read about bees"}'],
        ['create_task', '{"title":"Draw a hive"}']
      ]
    )
    t.is(new Set(calls.map(({ id }) => id)).size, 2)
  })

  test(`${way}: a stream that the client leaves bills the prompt and what was produced until then`, async (t) => {
    const { openai, provider } = await start(t, way, { tokenMs: 2 })
    provider.script({ content: 'one two three four five '.repeat(4_000) })
    const stream = await openai.chat.completions.create({ model: CHAT, messages: [question], stream: true })
    let read = 0
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) read += 1
      if (read === 10) break
    }
    await until(() => typeof provider.invoice()[0]?.finishedAt === 'string')
    const [line] = provider.invoice()
    t.like(line, { status: 200, aborted: true })
    t.true((line?.promptTokens ?? 0) > 0)
    t.true((line?.completionTokens ?? 0) >= 10 && (line?.completionTokens ?? 0) < 10_000)
  })

  test(`${way}: an abort before the answer rejects at once and is billed as far as it got`, async (t) => {
    const { openai, provider } = await start(t, way, { latencyMs: 60_000 })
    const controller = new AbortController()
    const asked = openai.chat.completions.create({ model: CHAT, messages: [question] }, { signal: controller.signal })
    await until(() => (provider.invoice()[0]?.promptTokens ?? 0) > 0)
    const begun = performance.now()
    controller.abort()
    await t.throwsAsync(asked, { instanceOf: OpenAI.APIUserAbortError })
    t.true(performance.now() - begun < 30_000)
    await until(() => typeof provider.invoice()[0]?.finishedAt === 'string')
    t.like(provider.invoice()[0], { status: 0, aborted: true, completionTokens: 0 })
  })

  test(`${way}: an abort while an answer is being produced bills the tokens so far`, async (t) => {
    const { openai, provider } = await start(t, way, { tokenMs: 5 })
    provider.script({ content: 'word '.repeat(5_000) })
    const controller = new AbortController()
    const asked = openai.chat.completions.create({ model: CHAT, messages: [question] }, { signal: controller.signal })
    await until(() => (provider.invoice()[0]?.completionTokens ?? 0) >= 3)
    controller.abort()
    await t.throwsAsync(asked, { instanceOf: OpenAI.APIUserAbortError })
    await until(() => typeof provider.invoice()[0]?.finishedAt === 'string')
    const billed = provider.invoice()[0]?.completionTokens ?? 0
    t.true(billed >= 3 && billed < 5_000)
  })
}

test('latency and speed are kept', async (t) => {
  const { openai, provider } = await start(t, 'in process', { latencyMs: 80, tokenMs: 4 })
  provider.script({ content: 'tick '.repeat(30) })
  await new Promise((resolve) => setImmediate(resolve)) // timers count from when a turn of the event loop began
  const begun = performance.now()
  const stream = await openai.chat.completions.create({ model: CHAT, messages: [question], stream: true })
  const firstByte = performance.now() - begun
  let tokens = 0
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) tokens += 1
  const total = performance.now() - begun
  t.true(firstByte >= 79, `first byte after ${firstByte} ms`)
  t.true(total >= 80 + tokens * 4 - 5, `${tokens} tokens after ${total} ms`)
})

test('in the process nothing is produced that is not read', async (t) => {
  const { openai, provider } = await start(t, 'in process')
  provider.script({ content: 'a b c d e f g h' })
  const stream = await openai.chat.completions.create({ model: CHAT, messages: [question], stream: true })
  let read = 0
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content) read += 1
    if (read === 3) break
  }
  t.like(provider.invoice()[0], { aborted: true, completionTokens: 3 })
})
