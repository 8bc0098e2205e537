import { randomBytes } from 'node:crypto'
import test from 'ava'
import { Webhook } from 'standardwebhooks'
import { sign } from '../../../lib/webhooks/sign.ts'

test('what is signed here is what the specification’s own library verifies, and nothing else', (t) => {
  for (let n = 0; n < 50; n++) {
    const secret = `whsec_${randomBytes(24 + (n % 40)).toString('base64')}`
    const body = JSON.stringify({ n, text: 'ä😀"\n'.repeat(n * 20) })
    const at = new Date(Date.now() - n)
    const headers = {
      'webhook-id': `id-${n}`,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': sign({ id: `id-${n}`, at, body, secret })
    }
    t.deepEqual(new Webhook(secret).verify(body, headers), JSON.parse(body))
    t.throws(() => new Webhook(secret).verify(`${body} `, headers))
  }
})
