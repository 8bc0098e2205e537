import test from 'ava'
import { parseClientMessage } from '../../../api/sockets/client-message.ts'

test('a message of brackets or of many values is refused before it is parsed, and answered shortly', (t) => {
  const kib64 = 64 * 1024
  const tries = {
    'a message must be nested at most 64 deep': '['.repeat(kib64),
    'a message must hold at most 100 values': `[${'0,'.repeat(kib64 / 2 - 2)}0]`
  }
  for (const [problem, text] of Object.entries(tries)) {
    t.deepEqual(parseClientMessage(text), { ok: false, id: undefined, code: 'invalid', problem })
  }
  const wordy = parseClientMessage(JSON.stringify({ type: 'subscribe', id: 7, channel: 'c', ['x'.repeat(60_000)]: 1 }))
  t.false(wordy.ok)
  if (!wordy.ok) t.true(wordy.problem.length <= 1_000)
  t.like(wordy, { id: 7 })
})

test('brackets in a string of a message are text', (t) => {
  t.like(parseClientMessage(JSON.stringify({ type: 'unsubscribe', channel: '['.repeat(90) })), { ok: true })
})
