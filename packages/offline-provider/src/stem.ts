/**
 * A light English stemmer: takes off plural, past, progressive and the commonest derivational endings, so that
 * `encode`, `encodes`, `encoding` and `encoded` meet in one form. The form need not be a word.
 * Words with digits or letters outside a–z are returned as they are.
 */
export function stem(word: string): string {
  if (word.length < 4 || !/^[a-z]+$/.test(word)) return word
  return finish(derivation(inflection(plural(word))))
}

const hasVowel = (part: string) => /[aeiouy]/.test(part)

function plural(word: string): string {
  if (word.endsWith('sses')) return word.slice(0, -2)
  if (word.endsWith('ies')) return word.length > 4 ? `${word.slice(0, -3)}y` : word.slice(0, -1)
  if (/(?:x|ch|sh|ss|zz)es$/.test(word)) return word.slice(0, -2)
  if (/[^sui]s$/.test(word)) return word.slice(0, -1)
  return word
}

function inflection(word: string): string {
  for (const ending of ['ing', 'ed']) {
    const base = word.slice(0, -ending.length)
    if (!word.endsWith(ending) || base.length < 3 || !hasVowel(base)) continue
    return undouble(base)
  }
  return word
}

/** `stopping` → `stop`, but `calling` → `call`. */
function undouble(base: string): string {
  return /([bdgmnprt])\1$/.test(base) ? base.slice(0, -1) : base
}

/** Endings with what they become; the part before must keep at least four letters. */
const derivations: readonly (readonly [string, string])[] = [
  ['ization', 'iz'],
  ['ational', 'at'],
  ['fulness', ''],
  ['iveness', 'iv'],
  ['ation', 'at'],
  ['ition', 'it'],
  ['ement', ''],
  ['ness', ''],
  ['ment', ''],
  ['tion', 't'],
  ['sion', 's'],
  ['able', ''],
  ['ible', ''],
  ['ally', 'al'],
  ['ical', 'ic'],
  ['ator', 'at'],
  ['ful', ''],
  ['ly', ''],
  ['er', ''],
  ['or', '']
]

function derivation(word: string): string {
  for (const [ending, becomes] of derivations) {
    if (word.endsWith(ending) && word.length - ending.length >= 4) return word.slice(0, -ending.length) + becomes
  }
  return word
}

function finish(word: string): string {
  if (word.length > 3 && word.endsWith('e')) return word.slice(0, -1)
  if (word.length > 3 && word.endsWith('y')) return `${word.slice(0, -1)}i`
  return word
}
