import { createOfflineProvider } from '@goals/offline-provider'
import test from 'ava'
import { openOfflineProvider } from '../../../lib/models/open-offline.ts'

const chat = 'http://offline.invalid/v1/chat/completions'
const question = 'What is recursion? '
const passage = 'Recursion is a function that calls itself. '

test('long requests are answered on a thread as they would be in the process', async (t) => {
  const [threaded, alone] = [openOfflineProvider({ ownerOf: () => 'someone' }), createOfflineProvider()]
  for (const repeated of [1, 1_000]) {
    const content = `<passage n="1" title="x">${passage.repeat(repeated)}</passage>`
    const body = JSON.stringify({
      model: 'offline-chat-mini',
      messages: [
        { role: 'system', content },
        { role: 'user', content: question }
      ]
    })
    const [one, other] = await Promise.all(
      [threaded, alone].map(async ({ fetch }) => (await fetch(chat, { method: 'POST', body })).json())
    )
    const { choices, usage } = other as { choices: unknown; usage: unknown }
    t.like(one, { choices, usage })
  }
})

test('what a long request is refused for on a thread is told as in the process', async (t) => {
  const body = JSON.stringify({ model: 'no-such-model', messages: [{ role: 'user', content: question.repeat(1_000) }] })
  const { fetch } = openOfflineProvider()
  const response = await fetch(chat, { method: 'POST', body })
  t.is(response.status, 404)
  t.like(await response.json(), { error: { code: 'model_not_found' } })
})
