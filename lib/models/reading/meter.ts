import { countTokens } from '../tokens.ts'

/** What is counted anew at each look; what lies before it has been counted. */
const tailChars = 4_096
/** Characters that are counted exactly, which takes a tenth of a second; more are estimated by how many tokens those had. */
const exactChars = 131_072

/**
 * Counts the tokens of a text while it comes. A token has at least one byte, so a text is looked at only when it may
 * have become too long, and then its end alone: a long answer is counted about once.
 */
export function createTokenMeter() {
  let counted = 0
  let tail = ''
  let bytes = 0
  let nextLook = 0
  let exact = 0
  let tokensOfChar = 0

  /** Up to a blank, where no token crosses. */
  function settle(): void {
    const blank = tail.lastIndexOf(' ', tail.length - 2)
    const end = blank > tailChars / 2 ? blank : tail.length - 1
    if (exact < exactChars) {
      counted += countTokens(tail.slice(0, end))
      exact += end
      tokensOfChar = counted / exact
    } else counted += tokensOfChar * end
    tail = tail.slice(end)
  }

  const count = (): number => Math.ceil(counted) + (tail === '' ? 0 : countTokens(tail))

  return {
    add(text: string): void {
      bytes += Buffer.byteLength(text)
      for (let from = 0; from < text.length; from += tailChars) {
        tail += text.slice(from, from + tailChars)
        if (tail.length > tailChars) settle()
      }
    },
    count,
    exceeds(most: number): boolean {
      if (bytes <= most || bytes < nextLook) return false
      const left = most - count()
      nextLook = bytes + left + 1
      return left < 0
    }
  }
}
