import { stem } from './stem.ts'
import { isFunctionWord, wordWeight } from './words.ts'

/** Characters of a text that are read at all; an embedding model has its context limit, too. */
const MAX_CHARS = 60_000
const MAX_WORD = 40

/** Feature names with their weights, in no particular order. */
type Features = Map<string, number>

/** `share`: 1 for a word; the parts of an identifier and its whole have less each. */
type Word = { surface: string; stem: string; share: number; whole: boolean }

/** Weight of a pair of stems, and of all letter groups of a word together, against the word itself. */
const PAIR = 0.3
const GROUPS = 0.6
/** Weight grows with the count to this power, so repetition counts, but less and less. */
const DAMPING = 0.45
/** Titles and first sentences say what a text is about: the first word counts double, the 32nd once. */
const LEAD_WORDS = 32

/** Weight of each part of an identifier, and of its whole, against a word. */
const PART = 0.8

/** Scripts that write without spaces: each of their characters is a word, and pairs make up for the rest. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/gu

/** Marks are put in order in more than linear time; text is safe with up to 30 of them in a row (UAX 15, 13). */
const MARKS = /(\p{M}{30})\p{M}+/gu

/**
 * The words of a text: diacritics off, lower case, with their stems. Identifiers are split at case, digit and
 * underscore, and stand as a whole besides, so that `JavaScript` meets both `java script` and `javascript`.
 */
export function wordsOf(text: string): Word[] {
  const plain = text
    .slice(0, MAX_CHARS)
    .replace(MARKS, '$1')
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/['’]/g, '')
    .replace(UNSPACED, ' $& ')
  const words: Word[] = []
  const add = (letters: string, share: number, whole = false) => {
    const surface = letters.toLowerCase().slice(0, MAX_WORD)
    words.push({ surface, stem: stem(surface), share, whole })
  }
  for (const [run] of plain.matchAll(/[\p{L}\p{N}]+(?:_+[\p{L}\p{N}]+)*/gu)) {
    const parts = /[_\p{Lu}\p{N}]/u.test(run) ? partsOf(run) : [run]
    for (const part of parts) add(part, parts.length > 1 ? PART : 1)
    if (parts.length > 1 && parts.length < 6) add(parts.join(''), PART, true)
  }
  return words
}

/** `parseHTTPBody_v2` → parse, HTTP, Body, v, 2 */
function partsOf(run: string): string[] {
  const spaced = run.replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2').replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
  return spaced.match(/\p{L}+|\p{N}+/gu) ?? []
}

/** What an embedding is made of: stems, pairs of neighbouring stems, and letter groups of each word. */
export function featuresOf(text: string): Features {
  const counts = new Map<string, { count: number; weight: number }>()
  const add = (name: string, weight: number, share: number) => {
    const known = counts.get(name)
    if (known) known.count += share
    else counts.set(name, { count: share, weight })
  }
  let previous: Word | undefined
  for (const [index, word] of wordsOf(text).entries()) {
    const weight = word.share * wordWeight(word.surface)
    const share = 1 + Math.max(0, 1 - index / LEAD_WORDS)
    add(`w${word.stem}`, weight, share)
    if (word.whole || isFunctionWord(word.surface)) continue
    const groups = letterGroups(word.stem)
    for (const group of groups) add(group, (GROUPS * weight) / Math.sqrt(groups.length), share)
    if (previous) add(`b${previous.stem} ${word.stem}`, PAIR * Math.sqrt(weight * wordWeight(previous.surface)), share)
    previous = word
  }
  const features: Features = new Map()
  for (const [name, { count, weight }] of counts) features.set(name, weight * count ** DAMPING)
  return features.size > 0 ? features : featuresOfSigns(text)
}

/** A text without a word is told by its first characters. */
function featuresOfSigns(text: string): Features {
  const features: Features = new Map([['empty', 0.001]])
  Array.from(text.slice(0, 64), (sign, index) => features.set(`s${index}${sign}`, 1))
  return features
}

function letterGroups(word: string): string[] {
  if (word.length < 4) return []
  const padded = `<${word}>`
  const groups: string[] = []
  for (let at = 0; at + 4 <= padded.length; at++) groups.push(`g${padded.slice(at, at + 4)}`)
  return groups
}
