export type JsonEnd = { push(piece: string): void; isReached(): boolean }

/** Says whether an object or array of JSON that comes in pieces has come to its end. */
export function createJsonEnd(): JsonEnd {
  let depth = 0
  let inString = false
  let escaped = false
  let reached = false
  return {
    push(piece) {
      for (let at = 0; at < piece.length; at++) {
        const char = piece[at]
        if (inString) {
          if (escaped) escaped = false
          else if (char === '\\') escaped = true
          else if (char === '"') inString = false
        } else if (char === '"') inString = true
        else if (char === '{' || char === '[') depth += 1
        else if (char === '}' || char === ']') {
          depth -= 1
          reached ||= depth === 0
        }
      }
    },
    isReached: () => reached
  }
}
