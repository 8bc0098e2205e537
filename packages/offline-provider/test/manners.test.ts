import test from 'ava'
import { mannerNames, manners } from '../src/manners/manners.ts'
import { CHAT, start, user, ways } from './setup.ts'

const messages = [user('What is a monad?')]

for (const way of ways) {
  test(`${way}: what an answer says of its tokens is one thing, what it took stands on the invoice`, async (t) => {
    const { openai, provider } = await start(t, way)
    for (const stream of [false, true]) {
      const usage = async () => {
        if (!stream) return (await openai.chat.completions.create({ model: CHAT, messages })).usage
        const events = await openai.chat.completions.create({
          model: CHAT,
          messages,
          stream,
          stream_options: { include_usage: true }
        })
        let told: unknown
        for await (const chunk of events) told = chunk.usage ?? told
        return told as { total_tokens: number } | undefined
      }
      provider.fail({ kind: 'manner', name: 'usage-total-only' })
      const told = await usage()
      const line = provider.invoice().at(-1)
      t.is(line?.manner, 'usage-total-only')
      t.deepEqual<unknown, unknown>(told, { total_tokens: Number(line?.promptTokens) + Number(line?.completionTokens) })
      provider.fail({ kind: 'manner', name: 'usage-reasoning-on-top' })
      const { total_tokens } = (await usage()) as { total_tokens: number }
      const { promptTokens = 0, completionTokens = 0, reasoningTokens } = provider.invoice().at(-1) ?? {}
      t.is(total_tokens, promptTokens + completionTokens)
      t.is(reasoningTokens, 4_000)
      provider.fail({ kind: 'manner', name: 'usage-missing' })
      t.is(await usage(), undefined)
      await usage()
      t.is(provider.invoice().at(-1)?.manner, null)
    }
  })
}

test('a manner that nobody has is refused with the names that there are', async (t) => {
  const { url } = await start(t, 'over a port')
  const patch = (name: string) =>
    fetch(`${url.replace('/v1', '/__offline')}/settings`, {
      method: 'PATCH',
      body: JSON.stringify({ faults: [{ kind: 'manner', name }] })
    })
  const refused = await patch('rude')
  t.is(refused.status, 400)
  t.regex(await refused.text(), /must have a name of .*usage-missing/)
  t.is((await patch('usage-missing')).status, 200)
})

test('every manner says what it does', (t) => {
  for (const name of mannerNames) t.regex(manners[name].about, /^.{4,90}$/, name)
})
