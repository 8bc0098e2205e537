import { z } from 'zod'

/** Deepest nesting of a stored JSON value; PostgreSQL's parser and our own walks stay far from their stacks' ends. */
export const maxJsonDepth = 64
/** Most values in one JSON value: twenty times what 500 records have, and looked through in a moment. */
const maxJsonValues = 100_000

const unstorable = 'must not contain NUL characters or lone surrogates'

/** Whether PostgreSQL can keep the text: it has no room for U+0000, and half of a surrogate pair is no character. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000')
}

/** Text from a client that is to be stored: every stored string is one of these. */
export const textSchema = z.string().refine(isStorableText, unstorable)

type Node = { value: object; depth: number; parent?: Node; key?: string | number }

function pathTo(node: Node | undefined, key?: string | number): (string | number)[] {
  const path = key === undefined ? [] : [key]
  for (let at = node; at?.key !== undefined; at = at.parent) path.unshift(at.key)
  return path
}

/**
 * Looks through a JSON value for what PostgreSQL could not keep as `jsonb`, keys included. Does not recurse:
 * a client chooses how deep its body is.
 * @returns the first such place, or `undefined` when all of it can be stored
 */
export function findUnstorable(value: unknown): { path: (string | number)[]; message: string } | undefined {
  if (typeof value === 'string') return isStorableText(value) ? undefined : { path: [], message: unstorable }
  if (typeof value !== 'object' || value === null) return undefined
  const open: Node[] = [{ value, depth: 1 }]
  let values = 0
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.depth > maxJsonDepth) return { path: [], message: `must be nested at most ${maxJsonDepth} deep` }
    const holder = node.value as Record<string, unknown>
    const names = Array.isArray(holder) ? undefined : Object.keys(holder)
    const count = names ? names.length : (holder.length as number)
    values += count
    if (values > maxJsonValues) return { path: [], message: `must hold at most ${maxJsonValues} values` }
    for (let index = 0; index < count; index++) {
      const key = names ? (names[index] as string) : index
      if (names && !isStorableText(key as string)) return { path: pathTo(node), message: unstorable }
      const inner = holder[key]
      if (typeof inner === 'string') {
        if (!isStorableText(inner)) return { path: pathTo(node, key), message: unstorable }
      } else if (typeof inner === 'object' && inner !== null) {
        open.push({ value: inner, depth: node.depth + 1, parent: node, key })
      }
    }
  }
  return undefined
}

/** At most so many bytes of UTF-8. */
export const atMostBytes =
  (limit: number) =>
  (text: string): boolean =>
    // A code unit takes at most three bytes, so most texts need no count.
    text.length * 3 <= limit || Buffer.byteLength(text) <= limit

/** One line that names something: trimmed, 1 to 300 characters. */
export const titleSchema = textSchema.trim().min(1).max(300)

export const descriptionSchema = textSchema.max(100_000)

/** An id in a body: lower case, as PostgreSQL writes it back. */
export const idSchema = z.uuid().toLowerCase()

/** A time in RFC 3339 with any offset; comes out in UTC. Years 1 to 9999, which is what PostgreSQL and RFC 3339 share. */
export const timeSchema = z.iso.datetime({ offset: true }).transform((text, context) => {
  const at = new Date(text)
  const utc = Number.isNaN(at.getTime()) ? '' : at.toISOString()
  if (!/^\d{4}-/.test(utc) || utc.startsWith('0000')) {
    context.addIssue({ code: 'custom', message: 'must be in the years 0001 to 9999' })
    return z.NEVER
  }
  return utc
})

/** The two times that every record reads. */
export const recordTimes = {
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime()
}
