import { randomBytes } from 'node:crypto'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** An id in the style of the API: a prefix and letters and digits. Every one is new. */
export function wireId(prefix: string, length: number): string {
  return prefix + Array.from(randomBytes(length), (byte) => LETTERS[byte % LETTERS.length]).join('')
}

export const requestIdOf = (): string => `req_${randomBytes(16).toString('hex')}`
