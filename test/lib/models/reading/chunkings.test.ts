import { seededRandom } from '@goals/offline-provider'
import test from 'ava'
import { storable } from '../../../../lib/models/reading/text.ts'
import { byteCuts, type Meant, meant, read, streamBody, wholeBody, withoutIds } from './shapes.ts'

/** What has to come of it, whatever the shape. */
const wanted = ({ content, calls }: Meant) => ({
  content: storable(content),
  toolCalls: calls.map(({ name, arguments: given }) => ({ name, arguments: given })),
  finishReason: calls.length > 0 ? 'tool_calls' : 'stop',
  refusal: null
})

const seeds = Array.from({ length: 150 }, (_, seed) => seed + 1)

test('one answer is one answer, in whatever shape and pieces a stream brings it', async (t) => {
  for (const seed of seeds) {
    const random = seededRandom(seed)
    const answer = meant(random)
    const parts = byteCuts(random, streamBody(random, answer), [1, 7, 200, 100_000][seed % 4] as number)
    const got = await read(parts)
    t.deepEqual<unknown, unknown>(withoutIds(got.answer), wanted(answer), `seed ${seed}`)
    t.is<unknown, unknown>(got.told, got.answer?.content, `seed ${seed}`)
    t.deepEqual(
      got.reading.told(),
      { promptTokens: 21, cachedTokens: 0, completionTokens: 10, reasoningTokens: 0 },
      `seed ${seed}`
    )
    t.is(new Set(got.answer?.toolCalls.map(({ id }) => id)).size, answer.calls.length)
  }
})

test('and the same when it comes whole, asked for as a stream or not', async (t) => {
  for (const seed of seeds) {
    const random = seededRandom(seed)
    const answer = meant(random)
    const got = await read(byteCuts(random, wholeBody(random, answer), [1, 7, 200, 100_000][seed % 4] as number))
    t.deepEqual<unknown, unknown>(withoutIds(got.answer), wanted(answer), `seed ${seed}`)
    t.is<unknown, unknown>(got.told, got.answer?.content, `seed ${seed}`)
  }
})

test('the ids of tool calls are ours: the same for the same step, another for each position', async (t) => {
  const random = seededRandom(3)
  const calls = [1, 2, 3].map((n) => ({ name: 'create_goal', arguments: JSON.stringify({ n }) }))
  const answer = { ...meant(random), calls }
  const once = await read(byteCuts(random, streamBody(random, answer), 50))
  const again = await read(byteCuts(random, wholeBody(random, answer), 50))
  const ids = once.answer?.toolCalls.map(({ id }) => id) ?? []
  t.deepEqual(
    again.answer?.toolCalls.map(({ id }) => id),
    ids
  )
  t.is(new Set(ids).size, 3)
  for (const id of ids) t.regex(id, /^[a-z0-9]{9}$/)
})
