/** Which record is meant: one, none, or several among which words do not decide. */
export type Match<R> = { kind: 'one'; record: R } | { kind: 'none' } | { kind: 'several'; records: R[] }

/** Articles and nouns around a title, in English and Spanish, marks off: "the task called …", "mi objetivo de …". */
const filler = new Set(
  (
    'a an the my this that these it its one goal goals task tasks exercise exercises called named titled of for to ' +
    'el la los las un una mi mis este esta esto ese esa eso objetivo objetivos meta metas tarea tareas ejercicio ejercicios ' +
    'llamado llamada titulado titulada con de del para'
  ).split(' ')
)
const maxWords = 60

type Worded<R> = { record: R; whole: string; words: string[] }

/** Titles made ready to be compared with what somebody calls them. */
export function wordTitles<R extends { title: string }>(records: R[]): Worded<R>[] {
  return records.map((record) => {
    const words = wordsOf(record.title)
    return { record, whole: words.join(' '), words: tellingWords(words) }
  })
}

/** Whether the words name nothing: "this task", "it", "mi objetivo". */
export const namesNothing = (said: string): boolean => tellingWords(wordsOf(said)).length === 0

/**
 * Finds the record that somebody means by a title or a part of it. The first rule that holds for any record decides,
 * and then it has to hold for one alone: the whole title; the title without articles and the like; all telling words
 * in the title; the whole title among the words.
 */
export function matchTitle<R>(said: string, titles: Worded<R>[]): Match<R> {
  const words = wordsOf(said)
  const whole = words.join(' ')
  const telling = tellingWords(words)
  const bare = telling.join(' ')
  const spoken = new Set(telling)
  const rules: ((title: Worded<R>) => boolean)[] = [
    (title) => title.whole === whole,
    (title) => title.words.join(' ') === bare,
    (title) => {
      const own = new Set(title.words)
      return telling.every((word) => own.has(word))
    },
    (title) => title.words.length > 1 && title.words.every((word) => spoken.has(word))
  ]
  // Words that tell nothing name a record only when they are all of its title.
  for (const rule of telling.length > 0 ? rules : rules.slice(0, 1)) {
    const records = titles.filter(rule).map(({ record }) => record)
    if (records.length === 1) return { kind: 'one', record: records[0] as R }
    if (records.length > 1) return { kind: 'several', records }
  }
  return { kind: 'none' }
}

/** Lower case, without marks on letters and punctuation. */
function wordsOf(text: string): string[] {
  const plain = text.slice(0, 1_000).normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  return (plain.match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, maxWords)
}

const tellingWords = (words: string[]) => words.filter((word) => !filler.has(word))
