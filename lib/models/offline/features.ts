import { stem } from './stem.ts'
import { isFunctionWord, wordWeight } from './words.ts'

/** Characters of a text that are read at all; an embedding model has its context limit, too. */
const MAX_CHARS = 60_000
const MAX_WORD = 40

/** Feature names with their weights, in no particular order. */
export type Features = Map<string, number>

export type Word = { surface: string; stem: string }

export type FeatureWeights = { bigram: number; grams: number; tf: number; lead: number; leadWords: number }

export const defaultWeights: FeatureWeights = { bigram: 0.3, grams: 0.6, tf: 0.45, lead: 1, leadWords: 32 }

/**
 * The words of a text: diacritics off, identifiers split at case, digit and underscore, lower case, with their stems.
 */
export function wordsOf(text: string): Word[] {
  const plain = text
    .slice(0, MAX_CHARS)
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/['’]/g, '')
  const split = plain.replace(/(\p{Ll}|\d)(\p{Lu})/gu, '$1 $2').replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
  const words: Word[] = []
  for (const match of split.toLowerCase().matchAll(/\p{L}+|\p{N}+/gu)) {
    const surface = match[0].slice(0, MAX_WORD)
    words.push({ surface, stem: stem(surface) })
  }
  return words
}

/** What an embedding is made of: stems, pairs of neighbouring stems, and letter groups of each word. */
export function featuresOf(text: string, w: FeatureWeights = defaultWeights): Features {
  const words = wordsOf(text)
  const counts = new Map<string, { count: number; weight: number }>()
  const add = (name: string, weight: number, share = 1) => {
    const known = counts.get(name)
    if (known) known.count += share
    else counts.set(name, { count: share, weight })
  }
  let previous: Word | undefined
  words.forEach((word, index) => {
    const weight = wordWeight(word.surface)
    const share = 1 + w.lead * Math.max(0, 1 - index / w.leadWords)
    add(`w${word.stem}`, weight, share)
    if (!isFunctionWord(word.surface)) {
      const grams = letterGroups(word.stem)
      for (const gram of grams) add(gram, (w.grams * weight) / Math.sqrt(grams.length), share)
      if (previous)
        add(`b${previous.stem} ${word.stem}`, w.bigram * Math.sqrt(weight * wordWeight(previous.surface)), share)
      previous = word
    }
  })
  const features: Features = new Map()
  for (const [name, { count, weight }] of counts) features.set(name, weight * count ** w.tf)
  if (features.size === 0) Array.from(text.slice(0, 64), (sign, index) => features.set(`s${index}${sign}`, 1))
  if (features.size === 0) features.set('empty', 1)
  return features
}

function letterGroups(word: string): string[] {
  if (word.length < 4) return []
  const padded = `<${word}>`
  const groups: string[] = []
  for (let at = 0; at + 4 <= padded.length; at++) groups.push(`g${padded.slice(at, at + 4)}`)
  return groups
}
