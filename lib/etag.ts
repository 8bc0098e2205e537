import { createHash } from 'node:crypto'
import { AppError } from './errors/app-error.ts'

/** A longer text goes into the tag by its own hash: to write megabytes as JSON for it takes too long. */
const longText = 64 * 1024

/** A representation: its entity tag, and its JSON where it was written for that. */
export type Tagged = { etag: string; json?: string }

/**
 * The strong entity tag of a representation (RFC 9110, 8.8.3): equal exactly when the same JSON would be sent.
 * Keys are taken in the order in which they stand, as they are in what is sent.
 */
export function tagged(view: object): Tagged {
  const isLong = Object.values(view).some((value) => typeof value === 'string' && value.length > longText)
  if (isLong) return { etag: tagOf(JSON.stringify(shortened(view))) }
  const json = JSON.stringify(view)
  return { etag: tagOf(json), json }
}

/** The entity tag alone, see `tagged`. */
export const etagOf = (view: object): string => tagged(view).etag

const tagOf = (text: string): string => `"${hashOf(text).slice(0, 27)}"`

const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

const shortened = (view: object): object =>
  Object.fromEntries(
    Object.entries(view).map(([field, value]) =>
      typeof value === 'string' && value.length > longText ? [field, { hash: hashOf(value) }] : [field, value]
    )
  )

/**
 * Whether a list of entity tags (`If-Match`, `If-None-Match`), or `*`, names this one.
 * @param weak compares weakly, as `If-None-Match` does; `If-Match` compares strongly, where a weak tag names nothing
 */
export function namesEtag(header: string, etag: string, { weak = false } = {}): boolean {
  if (header.trim() === '*') return true
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? []
  return tags.some((tag) => (weak ? tag.replace(/^W\//, '') : tag) === etag)
}

/**
 * Lets a change go on when the client's `If-Match` names what is stored now, or when it sent none.
 * To be called with the row locked, in the transaction of the change.
 * @throws AppError `precondition_failed` (412) with the tag that holds now
 */
export function requireMatch(ifMatch: string | undefined, view: object): void {
  if (ifMatch === undefined) return
  const etag = etagOf(view)
  if (!namesEtag(ifMatch, etag)) {
    throw new AppError('precondition_failed', 'It has changed since it was read', { headers: { ETag: etag } })
  }
}
