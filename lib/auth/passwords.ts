import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

export type PasswordCost = { log2N: number; r: number; p: number }

export type Passwords = {
  /** Returns `scrypt$log2N$r$p$salt$key`, so that stored hashes outlive a change of the cost. */
  hash(password: string): Promise<string>
  /** Takes as long for an unknown person (`undefined`) as for a wrong password. */
  verify(password: string, stored: string | undefined): Promise<boolean>
}

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt)
const keyBytes = 32

/**
 * Passwords by scrypt.
 * @param cost OWASP's Password Storage Cheat Sheet names N = 2^15, r = 8, p = 3 among its equivalent minimums
 *   (32 MiB for each hash)
 * @param concurrency hashes at once: the rest wait, so that a rush of logins leaves memory and threads to others
 */
export function createPasswords({
  cost = { log2N: 15, r: 8, p: 3 },
  concurrency = 2
}: {
  cost?: PasswordCost
  concurrency?: number
} = {}): Passwords {
  let running = 0
  const waiting: (() => void)[] = []
  const nobody = { cost, salt: randomBytes(16), key: randomBytes(keyBytes) }

  async function stretch(password: string, salt: Buffer, { log2N, r, p }: PasswordCost): Promise<Buffer> {
    if (running >= concurrency) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      const N = 2 ** log2N
      // One spelling of a password for all keyboards (NIST SP 800-63B, 3.1.1.2).
      return await derive(password.normalize('NFKC'), salt, keyBytes, { N, r, p, maxmem: 256 * N * r })
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }

  return {
    async hash(password) {
      const salt = randomBytes(16)
      const key = await stretch(password, salt, cost)
      return ['scrypt', cost.log2N, cost.r, cost.p, salt.toString('base64url'), key.toString('base64url')].join('$')
    },
    async verify(password, stored) {
      const known = stored === undefined ? undefined : parse(stored)
      const { cost: spent, salt, key } = known ?? nobody
      const candidate = await stretch(password, salt, spent)
      return timingSafeEqual(candidate, key) && known !== undefined
    }
  }
}

/** `undefined` for what is no hash of ours, which nobody's password can match. */
function parse(stored: string): { cost: PasswordCost; salt: Buffer; key: Buffer } | undefined {
  const [scheme, log2N, r, p, salt, key] = stored.split('$')
  if (scheme !== 'scrypt' || !salt || !key) return undefined
  const bytes = Buffer.from(key, 'base64url')
  if (bytes.length !== keyBytes) return undefined
  return {
    cost: { log2N: Number(log2N), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, 'base64url'),
    key: bytes
  }
}
