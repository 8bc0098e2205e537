/** What a person typed, taken apart. */
export type QueryText = {
  /** the words that rank, those of phrases among them */
  words: string
  /** each must occur as it stands */
  phrases: string[]
  /** none may occur */
  excluded: string[]
}

const part = /(?<=^|\s)-"([^"]+)"|(?<=^|\s)-(\p{L}[\p{L}\p{N}_]+)|"([^"]+)"/gu

/**
 * Phrases and exclusions of one query. Each is a condition that PostgreSQL nests into the one before it, and a thousand
 * are deeper than its stack.
 */
const mostConditions = 50

/**
 * Reads `"quoted phrases"` and exclusions (`-word`, `-"a phrase"`); anything else is words. Past fifty of them phrases are
 * no more than words, and exclusions nothing. Never fails.
 */
export function parseQuery(query: string): QueryText {
  const phrases: string[] = []
  const excluded: string[] = []
  const words = query.replace(part, (_match, notPhrase?: string, notWord?: string, phrase?: string) => {
    if (phrases.length + excluded.length < mostConditions) {
      if (phrase === undefined) excluded.push((notPhrase ?? notWord) as string)
      else phrases.push(phrase)
    }
    return phrase === undefined ? ' ' : ` ${phrase} `
  })
  return { words: words.replace(/\s+/g, ' ').trim(), phrases, excluded }
}
