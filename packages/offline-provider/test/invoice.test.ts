import test from 'ava'
import { offlineModels } from '../src/models.ts'
import { offlinePrices } from '../src/prices.ts'
import { seededRandom } from '../src/faults.ts'
import { CHAT, EMBEDDING, start, system, until, user, ways } from './setup.ts'

const pico = (usd: string) => BigInt(usd.replace('.', ''))

test('every model that is served has a price', (t) => {
  t.deepEqual(offlinePrices.map(({ model }) => model).toSorted(), offlineModels.map(({ id }) => id).toSorted())
})

test('cached tokens cost their own price, reasoning tokens that of the completion they are part of', async (t) => {
  const { openai, provider } = await start(t, 'in process')
  const messages = [system('Rules of the house. '.repeat(400)), user('Why?')]
  for (let at = 0; at < 2; at++)
    await openai.chat.completions.create({ model: 'offline-reasoner', messages, reasoning_effort: 'low' })
  const line = provider.invoice()[1]
  if (!line) return t.fail()
  t.true(line.cachedTokens > 1_000 && line.reasoningTokens > 0)
  // 1.25, 0.125 and 10 USD per million tokens are 1,250,000, 125,000 and 10,000,000 pico-USD per token.
  const cost =
    (line.promptTokens - line.cachedTokens) * 1_250_000 +
    line.cachedTokens * 125_000 +
    line.completionTokens * 10_000_000
  t.is(pico(line.costUsd), BigInt(cost))
})

for (const way of ways) {
  test(`${way}: over five hundred mixed calls, what clients were told they used is what is billed`, async (t) => {
    const { openai, provider } = await start(t, way, {
      seed: 11,
      faults: [{ kind: 'status', status: 503, probability: 0.1, times: null }]
    })
    const random = seededRandom(5)
    const told = { prompt: 0, completion: 0, cached: 0, calls: 0 }
    const note = (
      usage:
        | { prompt_tokens: number; completion_tokens?: number; prompt_tokens_details?: { cached_tokens?: number } }
        | null
        | undefined
    ) => {
      told.calls += 1
      told.prompt += usage?.prompt_tokens ?? 0
      told.completion += usage?.completion_tokens ?? 0
      told.cached += usage?.prompt_tokens_details?.cached_tokens ?? 0
    }
    const call = async (kind: number, text: string) => {
      if (kind < 0.4)
        return note((await openai.embeddings.create({ model: EMBEDDING, input: [text, `${text} again`] })).usage)
      const messages = [system(kind < 0.5 ? 'Be brief. '.repeat(600) : 'Be brief.'), user(text)]
      if (kind < 0.7) return note((await openai.chat.completions.create({ model: CHAT, messages })).usage)
      const stream = await openai.chat.completions.create({
        model: CHAT,
        messages,
        stream: true,
        stream_options: { include_usage: true }
      })
      for await (const chunk of stream) if (chunk.usage) note(chunk.usage)
    }
    for (let round = 0; round < 32; round++) {
      const calls = Array.from({ length: 16 }, (_, at) => call(random(), `question ${round} of ${at}`))
      await Promise.allSettled(calls)
    }
    await until(() => provider.invoice().every(({ finishedAt }) => finishedAt !== null))
    const totals = provider.invoiceTotals()
    const lines = provider.invoice()
    t.is(totals.requests, 512)
    t.is(totals.billedRequests, told.calls)
    t.deepEqual(
      [totals.promptTokens, totals.completionTokens, totals.cachedTokens],
      [told.prompt, told.completion, told.cached]
    )
    t.deepEqual(
      lines.map(({ id }) => id),
      Array.from({ length: 512 }, (_, at) => at + 1)
    )
    t.is(new Set(lines.map(({ requestId }) => requestId)).size, 512)
    t.is(
      lines.reduce((sum, { costUsd }) => sum + pico(costUsd), 0n),
      pico(totals.costUsd)
    )
    t.true(lines.every(({ status, costUsd }) => status === 200 || (status === 503 && pico(costUsd) === 0n)))
  })
}
