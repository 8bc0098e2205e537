import { encodeTokens } from '@goals/text'
import test from 'ava'
import fc from 'fast-check'
import OpenAI from 'openai'
import { EMBEDDING, start, ways } from './setup.ts'

for (const way of ways) {
  test(`${way}: one text and many texts are embedded in their order, with the tokens they cost`, async (t) => {
    const { openai, provider } = await start(t, way)
    const one = await openai.embeddings.create({ model: EMBEDDING, input: 'red apples' })
    const many = await openai.embeddings.create({ model: EMBEDDING, input: ['green pears', 'red apples'], user: 'u-1' })
    t.is(one.object, 'list')
    t.is(one.model, EMBEDDING)
    t.is(one.data[0]?.embedding.length, 1_536)
    t.deepEqual(
      many.data.map(({ index }) => index),
      [0, 1]
    )
    t.deepEqual(many.data[1]?.embedding, one.data[0]?.embedding)
    t.deepEqual(one.usage, { prompt_tokens: 2, total_tokens: 2 })
    t.deepEqual(many.usage, { prompt_tokens: 4, total_tokens: 4 })
    t.like(provider.invoice()[1], {
      path: '/v1/embeddings',
      model: EMBEDDING,
      status: 200,
      promptTokens: 4,
      completionTokens: 0,
      user: 'u-1'
    })
  })

  test(`${way}: tokens are as good as the text they stand for`, async (t) => {
    const { openai } = await start(t, way)
    const [text, other] = ['a binary search tree', 'prime numbers']
    const byText = await openai.embeddings.create({ model: EMBEDDING, input: [text, other] })
    const byTokens = await openai.embeddings.create({
      model: EMBEDDING,
      input: [encodeTokens(text), encodeTokens(other)]
    })
    const single = await openai.embeddings.create({ model: EMBEDDING, input: encodeTokens(text) })
    t.deepEqual(byTokens.data, byText.data)
    t.deepEqual(byTokens.usage, byText.usage)
    t.deepEqual(single.data[0], byText.data[0])
  })
}

test('float and base64 are the same numbers, little-endian', async (t) => {
  const { url, fetch } = await start(t, 'in process')
  const ask = async (input: string, encoding: string, dimensions: number) => {
    const body = JSON.stringify({ model: EMBEDDING, input, encoding_format: encoding, dimensions })
    const response = await fetch(`${url}/embeddings`, { method: 'POST', body })
    return ((await response.json()) as { data: { embedding: number[] | string }[] }).data[0]?.embedding
  }
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }),
      fc.integer({ min: 1, max: 1_536 }),
      async (input, dimensions) => {
        const floats = (await ask(input, 'float', dimensions)) as number[]
        const bytes = Buffer.from((await ask(input, 'base64', dimensions)) as string, 'base64')
        const decoded = Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4))
        t.deepEqual(decoded, floats)
        t.is(floats.length, dimensions)
        t.true(Math.abs(Math.hypot(...floats) - 1) < 1e-5)
      }
    ),
    { numRuns: 50 }
  )
})

test('what the API would not take is refused in its words, listed and not billed', async (t) => {
  const { openai, provider } = await start(t, 'in process')
  const refuse = async (body: Record<string, unknown>) => {
    const request = { model: EMBEDDING, input: 'x', ...body } as unknown as OpenAI.EmbeddingCreateParams
    const error = await t.throwsAsync(openai.embeddings.create(request), { instanceOf: OpenAI.APIError })
    return { status: error?.status, code: error?.code, param: error?.param, message: error?.message }
  }
  t.like(await refuse({ model: 'text-embedding-9' }), { status: 404, code: 'model_not_found' })
  t.like(await refuse({ model: 'offline-chat-mini' }), { status: 403 })
  t.like(await refuse({ model: undefined }), { status: 400, message: '400 you must provide a model parameter' })
  t.like(await refuse({ input: undefined }), { status: 400, param: 'input', code: 'missing_required_parameter' })
  t.like(await refuse({ input: '' }), { status: 400, param: 'input' })
  t.like(await refuse({ input: ['a', ''] }), { status: 400, param: 'input' })
  t.like(await refuse({ input: [] }), { status: 400 })
  t.like(await refuse({ input: ['a', 3] }), { status: 400 })
  t.like(await refuse({ input: Array(2_049).fill('a') }), { status: 400, code: 'array_above_max_length' })
  t.like(await refuse({ dimensions: 1_537 }), { status: 400, param: 'dimensions' })
  t.like(await refuse({ dimensions: 0 }), { status: 400, param: 'dimensions' })
  t.like(await refuse({ encoding_format: 'hex' }), { status: 400, param: 'encoding_format' })
  t.regex((await refuse({ input: 'word '.repeat(9_000) })).message ?? '', /maximum context length is 8192 tokens/)
  t.like(await refuse({ input: Array(40).fill('word '.repeat(8_000)) }), {
    status: 400,
    code: 'max_tokens_per_request'
  })
  t.is(provider.invoiceTotals().promptTokens, 0)
  t.is(provider.invoiceTotals().requests, 14)
})

test('2,048 inputs are taken at once', async (t) => {
  const { openai } = await start(t, 'in process')
  const { data, usage } = await openai.embeddings.create({
    model: EMBEDDING,
    input: Array.from({ length: 2_048 }, (_, at) => `item ${at}`)
  })
  t.is(data.length, 2_048)
  t.true(usage.prompt_tokens >= 4_096)
})
