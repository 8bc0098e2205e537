import { cutAtTokens, estimateTokens } from '../text/token-estimate.ts'

/**
 * The least part of a text that the chunker moves as one: a paragraph, a list item, a heading, a function.
 * The blocks of a text in their order, joined, are the text (but for what renders to nothing).
 */
export type Block = {
  text: string
  tokens: number
  /** headings, or names of enclosing classes and functions, from the outermost to the innermost */
  path: string[]
  /** set when the block is a heading: the text that those below it carry in their path */
  heading?: string
}

export const block = (text: string, path: string[], heading?: string): Block => ({
  text,
  tokens: estimateTokens(text),
  path,
  ...(heading === undefined ? {} : { heading })
})

/** Where a piece may end, the best first: after a line, after a sentence, after a word. */
const ends = [/\n+/g, /[.!?。！？]["')\]]*\s+|[。！？]/g, /\s+/g]

/**
 * Cuts a text that is longer than `most` tokens after lines, else after sentences, else after words, else anywhere,
 * into as few pieces as that allows. Joined they are the text. Time grows with the length of the text alone.
 */
export function splitLong(text: string, most: number): string[] {
  return split(text, most, 0)
}

/** @param tokens of the text: counting them again at each level would take most of the time */
function split(text: string, most: number, level: number, tokens = estimateTokens(text)): string[] {
  if (tokens <= most) return [text]
  const end = ends[level]
  if (!end) return cutHard(text, most)
  const pieces: string[] = []
  let held = ''
  let heldTokens = 0
  let start = 0
  const flush = () => {
    if (held) pieces.push(held)
    held = ''
    heldTokens = 0
  }
  const add = (unit: string) => {
    const ofUnit = estimateTokens(unit)
    if (heldTokens + ofUnit > most) flush()
    if (ofUnit > most) for (const piece of split(unit, most, level + 1, ofUnit)) pieces.push(piece)
    else {
      held += unit
      heldTokens += ofUnit
    }
  }
  for (const match of text.matchAll(end)) {
    add(text.slice(start, match.index + match[0].length))
    start = match.index + match[0].length
  }
  if (start < text.length) add(text.slice(start))
  flush()
  return pieces
}

function cutHard(text: string, most: number): string[] {
  const pieces: string[] = []
  for (let start = 0; start < text.length; ) {
    const end = cutAtTokens(text, start, most)
    pieces.push(text.slice(start, end))
    start = end
  }
  return pieces
}
