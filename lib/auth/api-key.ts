import { createHash, randomBytes } from 'node:crypto'

const prefix = 'gk_'
const shape = /^gk_[A-Za-z0-9_-]{43}$/

/** A new API key: the secret for its owner's eyes, the hash for the table, the last four characters as a hint. */
export function newApiKey(): { key: string; hash: Buffer; hint: string } {
  const key = prefix + randomBytes(32).toString('base64url')
  return { key, hash: hashApiKey(key), hint: key.slice(-4) }
}

export const looksLikeApiKey = (token: string): boolean => shape.test(token)

/** 32 random bytes cannot be guessed from a fast hash, so SHA-256 is enough and can be looked up by index. */
export const hashApiKey = (key: string): Buffer => createHash('sha256').update(key).digest()
