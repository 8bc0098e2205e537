/** Which record is meant: one, none (with those that are called nearly so), or several among which words do not decide. */
export type Match<R> = { kind: 'one'; record: R } | { kind: 'none'; near: R[] } | { kind: 'several'; records: R[] }

/** Articles and nouns around a title, in English and Spanish, marks off: "the task called …", "mi objetivo de …". */
const filler = new Set(
  (
    'a an the my this that these it its one goal goals task tasks exercise exercises called named titled of for to ' +
    'el la los las un una mi mis este esta esto ese esa eso objetivo objetivos meta metas tarea tareas ejercicio ejercicios ' +
    'llamado llamada titulado titulada con de del para'
  ).split(' ')
)
const maxChars = 1_000
const maxWords = 60
/** Share of pairs of letters in common from which a title is worth asking about. */
const nearEnough = 0.5
const mostNear = 3
/** Letters from which two ways to divide the same ones into words are taken for one name: "Two-Fer", "twofer". */
const leastLetters = 4

type Worded<R> = { record: R; verbatim: string; exact: string; whole: string; words: string[]; letters: string }

/** Titles made ready to be compared with what somebody calls them. */
export function wordTitles<R extends { title: string }>(records: R[]): Worded<R>[] {
  return records.map((record) => {
    const all = wordsOf(record.title)
    const words = tellingWords(all)
    const verbatim = withoutQuotes(record.title)
    return { record, verbatim, exact: exactly(verbatim), whole: all.join(' '), words, letters: words.join('') }
  })
}

/** Whether the words name nothing: "this task", "it", "mi objetivo". */
export const namesNothing = (said: string): boolean => tellingWords(wordsOf(said)).length === 0

/**
 * Finds the record that somebody means by a title or a part of it. The first rule that holds for any record decides,
 * and then it has to hold for one alone: the very title; the title in other case; its words, whatever is between them;
 * its words without articles and the like; its letters, however they are divided into words; and last, all telling words
 * in the title. A title within a longer name is another name: it is near, and not meant.
 */
export function matchTitle<R>(said: string, titles: Worded<R>[]): Match<R> {
  const words = wordsOf(said)
  const telling = tellingWords(words)
  const verbatim = withoutQuotes(said)
  const [exact, bareExact] = [exactly(verbatim), exactly(withoutLead(verbatim))]
  const [whole, bare, letters] = [words.join(' '), telling.join(' '), telling.join('')]
  const rules: ((title: Worded<R>) => boolean)[] = [
    (title) => title.verbatim === verbatim,
    (title) => title.exact === exact || title.exact === bareExact,
    (title) => title.whole === whole,
    (title) => title.words.join(' ') === bare,
    (title) => letters.length >= leastLetters && title.letters === letters,
    (title) => {
      const own = new Set(title.words)
      return telling.every((word) => own.has(word))
    }
  ]
  // Words that tell nothing name a record only when they are all of its title.
  for (const rule of telling.length > 0 ? rules : rules.slice(0, 3)) {
    const records = whole === '' ? [] : titles.filter(rule).map(({ record }) => record)
    if (records.length === 1) return { kind: 'one', record: records[0] as R }
    if (records.length > 1) return { kind: 'several', records }
  }
  return { kind: 'none', near: nearest(telling, titles) }
}

/** Titles that share letters or words with a name, the nearest first. */
function nearest<R>(telling: string[], titles: Worded<R>[]): R[] {
  const pairs = pairsOf(telling.join(' '))
  const spoken = new Set(telling)
  return titles
    .map(({ record, words }) => {
      const within = words.length > 0 && words.every((word) => spoken.has(word))
      return { record, likeness: within ? 1 : likeness(pairs, pairsOf(words.join(' '))) }
    })
    .filter(({ likeness: value }) => value >= nearEnough)
    .toSorted((a, b) => b.likeness - a.likeness)
    .slice(0, mostNear)
    .map(({ record }) => record)
}

function pairsOf(text: string): Set<string> {
  const pairs = new Set<string>()
  for (let at = 0; at + 1 < Math.min(text.length, 100); at++) pairs.add(text.slice(at, at + 2))
  return pairs
}

/** Dice's coefficient: 0 for nothing in common, 1 for the same. */
function likeness(a: Set<string>, b: Set<string>): number {
  const common = [...a].filter((pair) => b.has(pair)).length
  return a.size + b.size === 0 ? 0 : (2 * common) / (a.size + b.size)
}

/** Lower case, without marks on letters and punctuation. */
export function wordsOf(text: string, most = { chars: maxChars, words: maxWords }): string[] {
  const plain = text.slice(0, most.chars).normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  return (plain.match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, most.words)
}

export const tellingWords = (words: string[]): string[] => words.filter((word) => !filler.has(word))

/** A title as somebody may put it: in single spaces, without the marks around it. */
function withoutQuotes(text: string): string {
  const flat = text.slice(0, maxChars).normalize('NFC').replace(/\s+/g, ' ').trim()
  const marks = /["“”„«»'’‘`.,;:!?¡¿]/
  let [from, to] = [0, flat.length]
  while (from < to && marks.test(flat.charAt(from))) from += 1
  while (to > from && marks.test(flat.charAt(to - 1))) to -= 1
  return flat.slice(from, to)
}

const exactly = (text: string): string => text.toLowerCase().replace(/["“”„«»`]/g, '')

/** "the task called Leap" → "Leap" */
export function withoutLead(text: string): string {
  const parts = text.split(' ')
  let from = 0
  while (from < parts.length - 1 && namesNothing(parts[from] as string)) from += 1
  return withoutQuotes(parts.slice(from).join(' '))
}
