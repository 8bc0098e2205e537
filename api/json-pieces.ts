/** What is written at once; a quarter of a millisecond or so. */
const pieceLength = 128 * 1024
/** About what a number, a name or a bracket takes beside the texts. */
const otherLength = 8

/** About how long a value is as JSON, counted no further than `most`. */
function lengthOf(value: unknown, most: number): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return otherLength
  let length = otherLength
  for (const item of Array.isArray(value) ? value : Object.values(value)) {
    length += otherLength + lengthOf(item, most - length)
    if (length > most) break
  }
  return length
}

/** Whether a value is so large that it should not be written as JSON at once. */
export const isLong = (value: unknown): boolean => lengthOf(value, pieceLength) > pieceLength

/** The same text as `JSON.stringify`, in pieces of at most some 100 KiB, for plain values. */
export function* jsonPieces(value: unknown): Generator<string> {
  if (!isLong(value)) {
    yield JSON.stringify(value) ?? 'null'
  } else if (typeof value === 'string') {
    yield '"'
    for (let start = 0; start < value.length; ) {
      let end = Math.min(start + pieceLength, value.length)
      // Both halves of a surrogate pair stay together, or each would be written as an escape.
      if (end < value.length && (value.charCodeAt(end - 1) & 0xfc00) === 0xd800) end++
      yield JSON.stringify(value.slice(start, end)).slice(1, -1)
      start = end
    }
    yield '"'
  } else if (Array.isArray(value)) {
    let before = '['
    for (const item of value) {
      yield before
      yield* jsonPieces(item)
      before = ','
    }
    yield ']'
  } else {
    let before = '{'
    for (const [key, item] of Object.entries(value as object)) {
      if (item === undefined) continue
      yield `${before}${JSON.stringify(key)}:`
      yield* jsonPieces(item)
      before = ','
    }
    yield before === '{' ? '{}' : '}'
  }
}
