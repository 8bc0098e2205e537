import { tellingWords, wordsOf } from './match-title.ts'

const most = { chars: 32_000, words: 8_000 }

/** Words around a name that are no part of it, in English, Spanish and German, in whatever case they come. */
const aroundNames = new Set(
  (
    'as to in into of from by and or with on at for is was please done completed complete finished now today tomorrow ' +
    'como a al en de del desde por para con y e o es fue hecha hecho completada completado terminada terminado hoy ' +
    'als zu zum zur von aus im in auf und oder bitte erledigt fertig ist i my the it'
  ).split(' ')
)

/** What tells somebody to change a record and names none, in English and Spanish. */
const ordering = new Set(
  (
    'i ve have has just now please and also then ok okay yes so is as to at off set mark tick check finish finished complete ' +
    'completed done rename change update move archive archived status title name due date description pending progress in ' +
    'active open reopen thanks thank you me ' +
    'he ya y por favor tambien esta como a marca marcar marcala marcalo completa completar completada completado termina ' +
    'terminar terminada terminado termine acabado acabada acabe hecha hecho renombra renombrar cambia cambiar actualiza ' +
    'actualizar mueve mover archiva archivar archivada archivado estado titulo nombre fecha pendiente curso gracias lo'
  ).split(' ')
)

/** Names between quotation marks: "…", “…”, „…“, «…», '…' or `…`. */
export function quotedNames(message: string): string[] {
  const found = message
    .slice(0, most.chars)
    .matchAll(
      /["“„«]([^"“”„«»\n]{1,300})["”“»]|(?<![\p{L}\p{N}])['‘]([^'‘’\n]{1,300})['’](?![\p{L}\p{N}])|`([^`\n]{1,300})`/gu
    )
  return [...found].map(([, double, single, back]) => (double ?? single ?? back ?? '').trim()).filter(Boolean)
}

/** Whether a message has all the telling words of a name, or its letters in one piece: "Two-Fer" has "twofer". */
export function isSaidIn(name: string, message: string): boolean {
  const words = wordsOf(name)
  const telling = tellingWords(words)
  const wanted = telling.length > 0 ? telling : words
  if (wanted.length === 0) return false
  const there = wordsOf(message, most)
  const known = new Set(there)
  return wanted.every((word) => known.has(word)) || placeOf(wanted.join(''), there) !== undefined
}

/** Whether a message has a title as a whole, word by word. */
export function isMentioned(title: string, message: string): boolean {
  const letters = wordsOf(title).join('')
  return letters !== '' && placeOf(letters, wordsOf(message, most)) !== undefined
}

/** Where words stand side by side that make up these letters. */
function placeOf(letters: string, words: string[], from = 0): [number, number] | undefined {
  for (let first = from; first < words.length; first++) {
    let length = 0
    for (let last = first; last < words.length && letters.startsWith(words[last] as string, length); last++) {
      length += (words[last] as string).length
      if (length === letters.length) return [first, last]
    }
  }
  return undefined
}

type Token = { start: number; end: number; text: string; word: string }

function tokensOf(message: string): Token[] {
  return [...message.slice(0, most.chars).matchAll(/[\p{L}\p{M}\p{N}]+/gu)]
    .slice(0, most.words)
    .map(({ index, 0: text }) => ({ start: index, end: index + text.length, text, word: wordsOf(text).join('') }))
}

/**
 * The name as the message has it, where that says more: what stands between the quotation marks around it, and the
 * numbers, capitalised words and signs right behind it. Whoever writes "Leap Year" does not mean "Leap".
 */
export function fullerName(name: string, message: string): string {
  const telling = tellingWords(wordsOf(name))
  if (telling.length === 0) return name
  const quoted = quotedNames(message).find((one) => {
    const own = new Set(wordsOf(one))
    return telling.every((word) => own.has(word)) && tellingWords([...own]).length >= telling.length
  })
  if (quoted !== undefined) return quoted
  const tokens = tokensOf(message)
  const words = tokens.map(({ word }) => word)
  const place = placeOf(telling.join(''), words) ?? placeOf(wordsOf(name).join(''), words)
  if (!place) return name
  const [first] = place
  let [, last] = place
  while (last + 1 < tokens.length && goesOn(message, tokens[last] as Token, tokens[last + 1] as Token)) last += 1
  const end = tokens[last]?.end ?? 0
  const [signs = ''] = /^[+#]{1,3}/.exec(message.slice(end, end + 3)) ?? []
  return last === place[1] && signs === '' ? name : message.slice(tokens[first]?.start, end) + signs
}

const goesOn = (message: string, { end }: Token, next: Token) =>
  /^[ \u00a0_-]$/.test(message.slice(end, next.start)) &&
  /^[\p{Lu}\p{N}]/u.test(next.text) &&
  !aroundNames.has(next.word)

/** The message without the last place of each of these texts: what a record is to become names none. */
export function withoutTexts(message: string, texts: string[]): string {
  let rest = message.slice(0, most.chars)
  for (const text of texts) {
    const letters = wordsOf(text).join('')
    if (letters === '') continue
    const tokens = tokensOf(rest)
    const words = tokens.map(({ word }) => word)
    let place: [number, number] | undefined
    for (let next = placeOf(letters, words); next; next = placeOf(letters, words, next[0] + 1)) place = next
    if (place) rest = `${rest.slice(0, tokens[place[0]]?.start)}…${rest.slice(tokens[place[1]]?.end)}`
  }
  return rest
}

/** Whether a message says what is to be done and nothing of which record it means: "I have finished it, mark it as done". */
export const onlyOrders = (message: string): boolean =>
  tellingWords(wordsOf(message, most)).every((word) => ordering.has(word))

/** Whether a kind of record is spoken of by a name of its own: "the task Leap", 'my goal "Cook"'. */
export function namesOneOf(type: 'goal' | 'task', message: string): boolean {
  const noun = type === 'goal' ? 'goal|objetivo|meta|ziel' : 'task|exercise|tarea|ejercicio|aufgabe'
  const text = message.slice(0, most.chars)
  return [
    ...text.matchAll(new RegExp(`\\b(?:${noun})(?: (?:called|named|llamad[oa]|namens))? ["“„«'‘\`]?`, 'gi'))
  ].some(({ index, 0: before }) => {
    const [word = ''] = /^[\p{L}\p{N}]+/u.exec(text.slice(index + before.length, index + before.length + 40)) ?? []
    return /^[\p{Lu}\p{N}]/u.test(word) && !aroundNames.has(word.toLowerCase())
  })
}

/** Whether a message speaks of a kind of record at all. */
export const speaksOf = (type: 'goal' | 'task', message: string): boolean =>
  (type === 'goal'
    ? /\b(?:goals?|objetivos?|metas?|ziele?)\b/i
    : /\b(?:tasks?|exercises?|tareas?|ejercicios?|aufgaben?)\b/i
  ).test(message)
