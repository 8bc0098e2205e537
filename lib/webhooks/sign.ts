import { createHmac } from 'node:crypto'

const secretPrefix = 'whsec_'

/**
 * The signature of a delivery by the Standard Webhooks specification ("Signature scheme", symmetric): HMAC-SHA256 over
 * id, time and body. By Node's own hash: the specification's library hashes in JavaScript, a millisecond of the event
 * loop for each 60 KB.
 * @param secret base64 after `whsec_`
 */
export function sign({ id, at, body, secret }: { id: string; at: Date; body: string; secret: string }): string {
  const key = Buffer.from(secret.startsWith(secretPrefix) ? secret.slice(secretPrefix.length) : secret, 'base64')
  const seconds = Math.floor(at.getTime() / 1000)
  return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')}`
}
