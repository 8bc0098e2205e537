import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { AppError } from '../errors/app-error.ts'
import { createTurns, TurnOverdue } from '../sharing/turns.ts'

export type PasswordCost = { log2N: number; r: number; p: number }

export type Passwords = {
  /**
   * Returns `scrypt$log2N$r$p$salt$key`, so that stored hashes outlive a change of the cost.
   * @param signal aborted when nobody waits for the outcome any more
   * @throws AppError `busy` when the owner has too much waiting, or has waited too long
   */
  hash(password: string, signal?: AbortSignal): Promise<string>
  /**
   * Takes as long for an unknown person (`undefined`) as for a wrong password.
   * @throws AppError `busy`, as `hash`
   */
  verify(password: string, stored: string | undefined, signal?: AbortSignal): Promise<boolean>
}

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt)
const keyBytes = 32
/** More than the logins that an address may begin in a minute, so that a class behind one address only waits. */
const waitingOfOwner = 40
const longestWaitMs = 30_000
/** A hash takes a quarter of a second; one that takes this long is stuck behind something else. */
const longestHashMs = 30_000

/**
 * Passwords by scrypt.
 * @param cost OWASP's Password Storage Cheat Sheet names N = 2^15, r = 8, p = 3 among its equivalent minimums
 *   (32 MiB for each hash)
 * @param concurrency hashes at once, one of an owner: the rest wait in turn, owner by owner, so that a rush of logins
 *   leaves memory and threads to others, and one who makes it delays another by no more than a hash
 * @param ownerOf for whom a password is about to be hashed. In an API this is the address of the request: by accounts,
 *   thirty of one address would have thirty turns
 */
export function createPasswords({
  cost = { log2N: 15, r: 8, p: 3 },
  concurrency = 2,
  ownerOf = () => ''
}: {
  cost?: PasswordCost
  concurrency?: number
  ownerOf?: () => string
} = {}): Passwords {
  const turns = createTurns({
    name: 'passwords',
    places: concurrency,
    placesOfOwner: 1,
    waitingOfOwner,
    longestWaitMs,
    longestTurnMs: longestHashMs
  })
  const nobody = { cost, salt: randomBytes(16), key: randomBytes(keyBytes) }

  async function stretch(
    password: string,
    salt: Buffer,
    { log2N, r, p }: PasswordCost,
    signal: AbortSignal | undefined
  ): Promise<Buffer> {
    const N = 2 ** log2N
    // One spelling of a password for all keyboards (NIST SP 800-63B, 3.1.1.2).
    const text = password.normalize('NFKC')
    try {
      return await turns.run(ownerOf(), () => derive(text, salt, keyBytes, { N, r, p, maxmem: 256 * N * r }), signal)
    } catch (error) {
      if (!(error instanceof TurnOverdue)) throw error
      throw new AppError('busy', 'A password could not be looked at in time', {
        cause: error,
        headers: { 'Retry-After': '5' }
      })
    }
  }

  return {
    async hash(password, signal) {
      const salt = randomBytes(16)
      const key = await stretch(password, salt, cost, signal)
      return ['scrypt', cost.log2N, cost.r, cost.p, salt.toString('base64url'), key.toString('base64url')].join('$')
    },
    async verify(password, stored, signal) {
      const known = stored === undefined ? undefined : parse(stored)
      const { cost: spent, salt, key } = known ?? nobody
      const candidate = await stretch(password, salt, spent, signal)
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
