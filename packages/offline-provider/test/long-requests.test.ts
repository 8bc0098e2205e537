import test from 'ava'
import type { ComputeLong } from '../src/computing.ts'
import { compute, createOfflineProvider, type Question, tooComplex } from '../index.ts'

const url = 'http://offline.invalid/v1/embeddings'
const asked = (input: string) => ({
  method: 'POST',
  body: JSON.stringify({ model: 'offline-embedding-small', input })
})
const short = asked('word')
const long = asked('word '.repeat(4_000))

test('long requests are computed where the provider is told, with the answer that it would give itself', async (t) => {
  const computed: Question[] = []
  const computeLong: ComputeLong = async (question) => {
    computed.push(question)
    return compute(question)
  }
  const told = createOfflineProvider({ computeLong })
  const alone = createOfflineProvider()
  for (const request of [short, long]) {
    t.is(await (await told.fetch(url, request)).text(), await (await alone.fetch(url, request)).text())
  }
  t.deepEqual(computed, [{ kind: 'embeddings', body: JSON.parse(long.body) as Question['body'] }])
})

test('a request that takes too long is refused with 400 too_complex, and bills nothing', async (t) => {
  const provider = createOfflineProvider({ computeLong: async () => tooComplex })
  const response = await provider.fetch(url, long)
  t.is(response.status, 400)
  t.like(await response.json(), { error: { type: 'invalid_request_error', code: 'too_complex' } })
  t.like(provider.invoice()[0], { status: 400, promptTokens: 0 })
})
