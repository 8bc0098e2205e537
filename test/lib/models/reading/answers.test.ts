import { seededRandom } from '@goals/offline-provider'
import test from 'ava'
import OpenAI from 'openai'
import { JobError } from '../../../../lib/errors/job-error.ts'
import { maxHeldBytes, wireBytesFor } from '../../../../lib/models/reading/limits.ts'
import { createTokenMeter } from '../../../../lib/models/reading/meter.ts'
import { countTokens } from '../../../../lib/models/tokens.ts'
import { bytesOf, delta, events, read } from './shapes.ts'

const finish = (finish_reason: string) => ({ choices: [{ delta: {}, finish_reason }] })
const usage = { choices: [], usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 } }
const failureOf = ({ outcome }: Awaited<ReturnType<typeof read>>) => (outcome.ok ? undefined : outcome.error)
const contentOf = async (content: string, options = {}) =>
  (await read(events(delta(content), finish('stop')), options)).answer?.content

test('what is no answer is malformed, whatever its status', async (t) => {
  const bodies = [
    [],
    bytesOf('<!doctype html><title>Sign in</title>'),
    bytesOf('{"choices": [{"mess'),
    bytesOf('Bad gateway'),
    bytesOf('{"detail": "Not Found"}'),
    bytesOf('{"choices": []}'),
    bytesOf('null'),
    events('[DONE]'),
    events(usage, '[DONE]'),
    events(delta('Half'), '{"choices":[{"delta":{"con'),
    // in good order, but nothing says that it is the end
    events(delta('Half an ans'))
  ]
  for (const body of bodies) {
    const error = failureOf(await read(body))
    t.true(error instanceof JobError && error.code === 'provider_malformed', new TextDecoder().decode(body[0]))
  }
})

test('the end of a stream is a reason, `[DONE]`, or what it took', async (t) => {
  for (const end of [finish('stop'), '[DONE]', usage]) {
    t.is((await read(events(delta('Whole.'), end))).answer?.content, 'Whole.', JSON.stringify(end))
  }
})

test('an error inside a 200 is read as if it had come with its status', async (t) => {
  const errors: [Uint8Array[], number][] = [
    [bytesOf('{"error":{"code":401,"message":"No auth"}}'), 401],
    [bytesOf('[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]'), 429],
    [bytesOf('{"object":"error","code":400,"message":"too long"}'), 400],
    [events(delta('Half'), { error: { code: 'rate_limit_exceeded' } }), 429],
    [events(delta('Half'), { error: { code: 502 }, choices: [{ delta: {}, finish_reason: 'error' }] }), 502],
    [events(delta('Half'), { choices: [{ delta: {}, finish_reason: 'error', error: { code: 503 } }] }), 503],
    [events(delta('Half'), finish('error'), '[DONE]'), 502],
    [bytesOf('error: {"code":500,"message":"slot"}\n\n'), 500],
    [bytesOf('event: error\ndata: {"code":429}\n\n'), 429]
  ]
  for (const [body, status] of errors) {
    const error = failureOf(await read(body))
    t.true(error instanceof OpenAI.APIError, new TextDecoder().decode(body[0]))
    t.is((error as InstanceType<typeof OpenAI.APIError>).status, status)
  }
  t.is(
    (await read(events({ ...delta('Fine.'), error: null }, { ...finish('stop'), error: {} }))).answer?.content,
    'Fine.'
  )
})

test('thoughts are never said', async (t) => {
  const said = [
    ['<think>a</think>b', 'b'],
    ['  <Think>\na</THINK>\n\n b', 'b'],
    ['<think>a</think><think>c</think>b', 'b'],
    ['b <think>a</think>c', 'b c'],
    ['<think>a', ''],
    ['b<think>a', 'b'],
    ['[THINK]a[/THINK]b', 'b'],
    ['<thinking>a</thinking>b', 'b'],
    ['◁think▷a◁/think▷b', 'b'],
    ['a\n</think>\n\nb', 'b'],
    ['</think>b', 'b'],
    ['The tag `<think>` and `</think>`.', 'The tag `<think>` and `</think>`.'],
    ['A </think> in a line.', 'A </think> in a line.'],
    ['```\n<think>\n</think>\n```\nb', '```\n<think>\n</think>\n```\nb'],
    ['a < b <thin', 'a < b <thin'],
    ['  b', '  b']
  ] as const
  for (const [content, wanted] of said) t.is(await contentOf(content), wanted, content)
  t.is(await contentOf('a, then\n</think>\nb', { thinksUnopened: true }), 'b')
  t.is(await contentOf('no thought at all', { thinksUnopened: true }), 'no thought at all')
  t.is(await contentOf('<think>a</think>{"tag":"<think>"}', { isJson: true }), '{"tag":"<think>"}')
  t.is(await contentOf('{"tag":"x\\n</think>\\ny"}', { isJson: true }), '{"tag":"x\\n</think>\\ny"}')
  // Whoever has heard such a thought hears nothing of the next one.
  const { reading, told, answer } = await read(events(delta('a\n</think>\n'), delta('b'), finish('stop')))
  t.deepEqual([reading.hasUnopenedThought(), told, answer?.content], [true, 'b', 'b'])
  t.true(reading.received() > 2)
})

test('text that PostgreSQL does not keep is cleaned on receipt', async (t) => {
  const call = (given: unknown) => ({
    index: 0,
    id: 'a\u0000\ud800',
    function: { name: 'cre\u0000ate', arguments: given }
  })
  const { answer, told } = await read(
    events(
      delta('a\u0000b\ud83d'),
      delta('\ude00c\ud800', { refusal: 'n\u0000o\udfff' }),
      delta('d', { tool_calls: [call('{"t":"x\\u0000y\\ud800z\\ud83d\\ude00\\\\u0000\u0000"}')] }),
      finish('stop')
    )
  )
  t.is(answer?.content, 'ab😀c\ufffdd')
  t.is<unknown, unknown>(told, answer?.content)
  t.is(answer?.refusal, 'no\ufffd')
  t.is(answer?.toolCalls[0]?.name, 'create')
  t.deepEqual(JSON.parse(answer?.toolCalls[0]?.arguments ?? ''), { t: 'xy\ufffdz😀\\u0000' })
  t.is(await contentOf('{"a":"x\\u0000\\udc00"}', { isJson: true }), '{"a":"x\\ufffd"}')
})

test('more than was granted is not taken: the request is aborted and the answer kept', async (t) => {
  const words = Array.from({ length: 20_000 }, (_, n) => delta(`word${n % 10} `))
  for (const grantedTokens of [1, 50, 1_000]) {
    const { answer, aborted, reading } = await read(
      words.flatMap((chunk) => events(chunk)),
      { grantedTokens }
    )
    t.true(aborted)
    t.is(answer?.finishReason, 'length')
    t.true(
      reading.received() >= grantedTokens && reading.received() <= grantedTokens * 1.1 + 12,
      `${reading.received()}`
    )
  }
  const thoughts = Array.from({ length: 500 }, () => delta(null, { reasoning: 'on and on ' }))
  const thinking = await read(
    thoughts.flatMap((chunk) => events(chunk)),
    { grantedTokens: 50 }
  )
  t.deepEqual([thinking.aborted, thinking.answer?.content, thinking.answer?.finishReason], [true, '', 'length'])
})

test('an answer of exactly what was granted is whole', async (t) => {
  const { answer, aborted } = await read(
    events(...Array.from({ length: 50 }, () => delta(' word')), finish('stop'), '[DONE]'),
    {
      grantedTokens: 50
    }
  )
  t.deepEqual([aborted, answer?.finishReason], [false, 'stop'])
})

test('no answer takes more memory than stated, whether it has words or none', async (t) => {
  const endless = (piece: string) => {
    let sent = 0
    const part = new TextEncoder().encode(piece.repeat(Math.ceil(65_536 / piece.length)))
    return {
      parts: new Proxy([] as Uint8Array[], {
        get: (target, name) => (name === 'shift' ? () => ((sent += part.length), part) : Reflect.get(target, name))
      }),
      sent: () => sent
    }
  }
  for (const piece of [': keep-alive\n\n', 'data: {"choices":[{"delta":{}}]}\n\n', 'data: \n\n']) {
    const { parts, sent } = endless(piece)
    t.true((await read(parts, { grantedTokens: 50 })).aborted)
    t.true(sent() <= wireBytesFor(50) + 262_144, piece)
  }
  for (const piece of ['{"choices":[', 'data: {"choices":[', ' ', 'x']) {
    const { parts, sent } = endless(piece)
    const got = await read(parts, { grantedTokens: 4_096 })
    t.is((failureOf(got) as JobError | undefined)?.code, 'provider_malformed', piece)
    t.true(got.aborted)
    t.true(sent() <= maxHeldBytes + 262_144, piece)
  }
})

test('usage that was told on the way is not what the answer took', async (t) => {
  const soFar = (completion_tokens: number) => ({ usage: { prompt_tokens: 5, completion_tokens } })
  const word = (n: number) => ({ ...delta(`word${n} `), ...soFar(n) })
  const cut = await read(events(word(1), word(2)))
  t.false(cut.reading.isToldInFull())
  const whole = await read(events(word(1), word(2), { ...finish('stop'), ...soFar(7) }, '[DONE]'))
  t.true(whole.reading.isToldInFull())
  t.is(whole.reading.told().completionTokens, 7)
  const late = await read(events({ ...finish('stop'), ...soFar(2) }, delta('and more'), '[DONE]'))
  t.false(late.reading.isToldInFull())
})

test('tokens are counted while they come as they are counted at once', (t) => {
  const random = seededRandom(5)
  for (const text of [
    'word and another '.repeat(2_000),
    'word and another '.repeat(40_000),
    'x'.repeat(9_000),
    'naïve 😀 ça '.repeat(900),
    '{"a": [1, 2]}\n'.repeat(1_500)
  ]) {
    const meter = createTokenMeter()
    for (let from = 0, length = 0; from < text.length; from += length) {
      length = 1 + Math.floor(random() * 300)
      meter.add(text.slice(from, from + length))
    }
    const [counted, exact] = [meter.count(), countTokens(text)]
    t.true(Math.abs(counted - exact) <= 4 + exact * 0.01, `${counted} ${exact}`)
    t.true(meter.exceeds(counted - 1))
    t.false(meter.exceeds(counted))
  }
})

test('finish reasons of others are understood', async (t) => {
  for (const [said, meant] of [
    ['model_length', 'length'],
    ['MAX_TOKENS', 'length'],
    ['SAFETY', 'content_filter'],
    ['function_call', 'tool_calls'],
    ['end_turn', 'stop'],
    ['eos', 'stop']
  ] as const) {
    t.is((await read(events(delta('x'), finish(said)))).answer?.finishReason, meant, said)
  }
})
