import { createRequire } from 'node:module'

type Encoding = {
  encode(text: string, options: { disallowedSpecial: Set<string> }): number[]
  decode(tokens: Iterable<number>): string
}

/** The tokenizer merges a piece in more than linear time, so a run without a space is cut at this many characters. */
const MAX_RUN = 512
/** Characters counted exactly; what follows is estimated from the density of what was counted. */
const EXACT_CHARS = 262_144
const BLOCK_CHARS = 4_096
/** Bytes that make no character are gathered in more than linear time, so tokens are decoded a few at a time. */
const DECODED_AT_ONCE = 256
const options = { disallowedSpecial: new Set<string>() }
const load = createRequire(import.meta.url)

let encoding: Encoding | undefined

/** The rank tables take 80 MB and a few hundred milliseconds: they are read when the first text is counted. */
function o200k(): Encoding {
  encoding ??= load('gpt-tokenizer/encoding/o200k_base') as Encoding
  return encoding
}

/**
 * The tokens of a text in the o200k vocabulary. Special tokens are read as ordinary text.
 * Runs of more than 512 characters without a space are cut, so for these the tokens are a close upper estimate.
 */
export function encodeTokens(text: string): number[] {
  const tokens: number[] = []
  for (const block of blocks(text)) for (const token of o200k().encode(block, options)) tokens.push(token)
  return tokens
}

/** The text of tokens; bytes that make no UTF-8 become U+FFFD, numbers that are no tokens become nothing. */
export function decodeTokens(tokens: readonly number[]): string {
  const known = tokens.filter((token) => token >= 0 && token < 199_998)
  let text = ''
  for (let start = 0; start < known.length; start += DECODED_AT_ONCE) {
    // A character that ends in the next part is kept until then by the decoder, which reads a stream.
    text += o200k().decode(known.slice(start, start + DECODED_AT_ONCE))
  }
  return text
}

/**
 * How many tokens a text has: exact for its first 262,144 characters, and by their density beyond.
 * The same text always counts the same, and never as more tokens than it has UTF-8 bytes.
 */
export function countTokens(text: string): number {
  const head = headOf(text)
  return withRest(text, head, encodeTokens(head).length)
}

/** As `countTokens`, a few kilobytes a step, for texts that together may be long. Returns the count of each. */
export function* countingTokens(texts: readonly string[]): Generator<void, number[]> {
  const counts: number[] = []
  for (const text of texts) {
    const head = headOf(text)
    let counted = 0
    for (const block of blocks(head)) {
      counted += o200k().encode(block, options).length
      yield
    }
    counts.push(withRest(text, head, counted))
  }
  return counts
}

/** What is counted of a text. */
const headOf = (text: string) => (text.length <= EXACT_CHARS ? text : text.slice(0, wholeCharacter(text, EXACT_CHARS)))

function withRest(text: string, head: string, counted: number): number {
  if (head.length === text.length) return counted
  const restBytes = Buffer.byteLength(text) - Buffer.byteLength(head)
  return counted + Math.ceil((counted / Buffer.byteLength(head)) * restBytes)
}

export type TokenPiece = { text: string; tokens: number }

/**
 * The text cut into the pieces a model would send one by one: joined they are the text. A piece is one token, but
 * for a character that takes several.
 */
export function tokenPieces(text: string): TokenPiece[] {
  const pieces: TokenPiece[] = []
  const sound = text.toWellFormed()
  let pending: number[] = []
  let sent = 0
  for (const token of encodeTokens(sound)) {
    pending.push(token)
    const piece = o200k().decode(pending)
    if (!sound.startsWith(piece, sent)) continue // half a character so far
    pieces.push({ text: piece, tokens: pending.length })
    sent += piece.length
    pending = []
  }
  return pieces
}

/**
 * How common a word is, as its place in the vocabulary (learned from a large mixture of prose and code, frequent
 * pieces first): 1 for the most common, 200,000 and more for words that have no token of their own.
 */
export function vocabularyRank(word: string): number {
  const tokens = o200k().encode(` ${word}`, options)
  return tokens.length === 1 ? Math.max(1, (tokens[0] as number) - 255) : 200_000 * Math.min(tokens.length - 1, 3)
}

/** Cuts before single spaces that follow something else, where no token ever crosses, or hard inside endless runs. */
function* blocks(text: string): Generator<string> {
  let start = 0
  while (start < text.length) {
    let end = Math.min(text.length, start + BLOCK_CHARS)
    if (end < text.length) end = lastBreak(text, start, end) ?? wholeCharacter(text, end)
    yield* cutRuns(text.slice(start, end))
    start = end
  }
}

function lastBreak(text: string, start: number, end: number): number | undefined {
  for (let at = end; at > start + BLOCK_CHARS / 2; at--) {
    if (text[at] === ' ' && !isSpace(text.charCodeAt(at - 1)) && !isSpace(text.charCodeAt(at + 1))) return at
  }
  return undefined
}

function* cutRuns(block: string): Generator<string> {
  let start = 0
  let runStart = 0
  for (let at = 0; at < block.length; at++) {
    if (isSpace(block.charCodeAt(at))) runStart = at + 1
    else if (at - runStart >= MAX_RUN) {
      const cut = wholeCharacter(block, at)
      yield block.slice(start, cut)
      start = cut
      runStart = cut
    }
  }
  if (start < block.length) yield block.slice(start)
}

const isSpace = (code: number) => code === 32 || code === 10 || code === 13 || code === 9

/** Moves a cut off the middle of a surrogate pair. */
function wholeCharacter(text: string, at: number): number {
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code <= 0xdfff ? at - 1 : at
}
