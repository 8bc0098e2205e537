import { maxJsonDepth } from '../../lib/schemas/text.ts'

const quote = 1
const opening = 2
const closing = 3
const comma = 4
const space = 5

/** What a byte outside of strings means for the count. Each byte of a character beyond ASCII is above 127. */
const kinds = new Uint8Array(256)
for (const [text, kind] of [
  ['"', quote],
  ['[{', opening],
  [']}', closing],
  [',', comma],
  [' \t\n\r', space]
] as const) {
  for (const byte of Buffer.from(text)) kinds[byte] = kind
}

const backslash = 0x5c
const quoteByte = 0x22

/**
 * Counts depth and values of JSON while its bytes come in, in pieces of any size, so that a bomb is refused before it
 * is whole and before anything is parsed. Whether it is JSON at all is for the parser to say.
 * @param mostValues elements of arrays and members of objects, all together
 * @returns a function that takes the next bytes and says which bound they go beyond, if any
 */
export function createJsonBounds({
  mostValues,
  mostDeep = maxJsonDepth
}: {
  mostValues: number
  mostDeep?: number
}): (bytes: Uint8Array) => string | undefined {
  let depth = 0
  let values = 0
  let isInString = false
  let isEscaped = false
  /** the last container has nothing in it yet */
  let isEmpty = false

  return (bytes) => {
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index] as number
      if (isInString) {
        if (isEscaped) isEscaped = false
        else if (byte === backslash) isEscaped = true
        else if (byte === quoteByte) isInString = false
        continue
      }
      const kind = kinds[byte]
      if (kind === space) continue
      if (kind === closing) {
        depth--
        isEmpty = false
        continue
      }
      // A container that is not empty has one value more than commas.
      if (isEmpty || kind === comma) {
        isEmpty = false
        if (++values > mostValues) return `must hold at most ${mostValues} values`
      }
      if (kind === quote) isInString = true
      else if (kind === opening) {
        isEmpty = true
        if (++depth > mostDeep) return `must be nested at most ${mostDeep} deep`
      }
    }
    return undefined
  }
}
