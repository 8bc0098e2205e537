import { randomFillSync } from 'node:crypto'

const idBytes = 16
/** Asking the system for random bytes takes longer than the rest of an id: they are fetched for this many at once. */
const idsAtOnce = 256

const random = Buffer.allocUnsafeSlow(idBytes * idsAtOnce)
let used = random.length
let lastMs = Number.NEGATIVE_INFINITY
let counter = 0

/**
 * A new UUID v7 (RFC 9562): rises with time, so the newest row has the greatest id and a cursor needs nothing else.
 * Those of one millisecond are counted on from a random number of 31 bits, and if the clock goes back from the last one
 * (6.2, a counter of 32 bits); the last 42 bits are random in each.
 */
export function newId(): string {
  if (used === random.length) {
    randomFillSync(random)
    used = 0
  }
  const at = used
  used += idBytes
  const now = Date.now()
  if (now > lastMs) {
    lastMs = now
    counter = random.readUInt32BE(at + 6) & 0x7fffffff
  } else {
    counter = (counter + 1) | 0
    if (counter === 0) lastMs++
  }
  random.writeUIntBE(lastMs, at, 6)
  random[at + 6] = 0x70 | ((counter >>> 28) & 0x0f)
  random[at + 7] = counter >>> 20
  random[at + 8] = 0x80 | ((counter >>> 14) & 0x3f)
  random[at + 9] = counter >>> 6
  random[at + 10] = (counter << 2) | ((random[at + 10] as number) & 0x03)
  const hex = random.toString('hex', at, used)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** When an id of version 7 was made (RFC 9562, 5.7: its first 48 bits are milliseconds). */
export function timeOf(id: string): Date {
  return new Date(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16))
}
