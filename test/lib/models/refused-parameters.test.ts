import test from 'ava'
import OpenAI from 'openai'
import { createDialect, readDialect } from '../../../lib/models/dialect.ts'
import { refusedParameters } from '../../../lib/models/refused-parameters.ts'
import { contextForFile } from '../../helpers/context.ts'

const context = contextForFile(test)

const sent = {
  model: 'm',
  messages: [],
  max_completion_tokens: 100,
  stream: true,
  stream_options: {},
  parallel_tool_calls: false,
  tool_choice: 'auto',
  response_format: {}
}
const refusedBy = (status: number, error: unknown, body: Record<string, unknown> = sent) =>
  refusedParameters(OpenAI.APIError.generate(status, { error }, undefined, new Headers()), body)

test('refusals are understood in the words of many servers', (t) => {
  const cases: [number, unknown, string[]][] = [
    [
      400,
      { message: "Unknown parameter: 'stream_options'.", param: 'stream_options', code: 'unknown_parameter' },
      ['stream_options']
    ],
    [400, { message: 'Unrecognized request argument supplied: stream_options', param: '' }, ['stream_options']],
    [
      422,
      { message: { detail: [{ type: 'extra_forbidden', loc: ['body', 'max_completion_tokens'] }] } },
      ['max_completion_tokens']
    ],
    [422, { detail: [{ loc: ['body', 'response_format', 'type'], msg: 'Input should be text' }] }, ['response_format']],
    [
      400,
      {
        message:
          "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), 'msg': 'Extra inputs are not permitted'}]"
      },
      ['max_completion_tokens']
    ],
    [
      400,
      {
        message:
          "litellm.UnsupportedParamsError: ollama does not support parameters: ['parallel_tool_calls'], for model=x"
      },
      ['parallel_tool_calls']
    ],
    [
      500,
      { message: "litellm.UnsupportedParamsError: ollama does not support parameters: ['parallel_tool_calls']" },
      ['parallel_tool_calls']
    ],
    [404, { message: "No endpoints found that support the provided 'tool_choice' value.", code: 404 }, ['tool_choice']],
    [400, 'response_format.type must be json_object: json_schema is not supported', ['response_format']],
    [
      400,
      {
        message: "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        param: null
      },
      ['response_format']
    ],
    [
      400,
      { message: 'This model does not support response format `json_schema`.', param: 'response_format' },
      ['response_format']
    ],
    [400, { message: 'bad', param: 'response_format.json_schema.strict' }, ['response_format']],
    [400, { message: 'Your organization must be verified to stream this model.', param: 'stream' }, ['stream']],
    [
      400,
      { message: "'max_completion_tokens' is too large: 4096. This model's maximum context length is 2048 tokens" },
      ['limit']
    ],
    [400, { message: 'base64 encoding is not currently supported' }, []]
  ]
  for (const [status, error, expected] of cases) {
    t.deepEqual<string[], string[]>(refusedBy(status, error), expected, JSON.stringify(error))
  }
  t.deepEqual(
    refusedBy(400, { message: 'base64 encoding is not currently supported' }, { encoding_format: 'base64' }),
    ['encoding_format']
  )
})

test('what says nothing of a parameter that was sent is no refusal of one', (t) => {
  t.deepEqual(refusedBy(400, { message: "Invalid 'messages': too long", param: 'messages' }), [])
  t.deepEqual(refusedBy(401, { message: 'stream_options is not supported', param: 'stream_options' }), [])
  t.deepEqual(refusedBy(429, { message: 'stream_options' }), [])
  t.deepEqual(refusedBy(500, { message: 'stream_options' }), [])
  t.deepEqual(refusedBy(400, { message: 'unknown: max_tokens', param: 'max_tokens' }), [])
  t.deepEqual(refusedBy(400, { message: 'the stream was invalid' }), [])
  t.deepEqual(refusedParameters(new Error('unknown parameter stream_options'), sent), [])
})

test('what a server refuses is told to all workers, once in the log, for a day', async (t) => {
  const { redis, prefix } = context()
  const told: unknown[] = []
  const log = { ...context().log, warn: (facts: unknown) => void told.push(facts) } as unknown as ReturnType<
    typeof context
  >['log']
  const open = () => createDialect({ redis, prefix, baseUrl: 'http://x.test/v1', log })
  const [first, second] = [open(), open()]
  await first.helped('m', new Set(['stream_options', 'limit']))
  await first.helped('m', new Set(['stream_options']))
  await second.helped('m', new Set(['stream_options']))
  t.deepEqual(told, [{ model: 'm', parameter: 'stream_options' }])
  t.deepEqual([...(await open().known('m'))], ['stream_options'])
  t.deepEqual([...(await open().known('other'))], [])
  t.deepEqual(await readDialect(redis, prefix, 'http://x.test/v1', 'm'), ['stream_options'])
  t.deepEqual(await readDialect(redis, prefix, 'http://y.test/v1', 'm'), [])
  const [key = ''] = await redis.keys(`${prefix}:dialect:*`)
  t.true((await redis.pttl(key)) > 23 * 3_600_000)
  await redis.hset(key, 'stream_options', Date.now() - 25 * 3_600_000)
  t.deepEqual([...(await open().known('m'))], [])
})

test('without Redis a process knows what it has learnt itself', async (t) => {
  const away = async () => {
    throw new Error('Connection is closed.')
  }
  const redis = { hgetall: away, hget: away, hset: away, pexpire: away } as unknown as ReturnType<
    typeof context
  >['redis']
  const dialect = createDialect({ redis, prefix: 'p', baseUrl: 'http://x.test', log: context().log })
  await dialect.helped('m', new Set(['stream']))
  t.deepEqual([...(await dialect.known('m'))], ['stream'])
})
