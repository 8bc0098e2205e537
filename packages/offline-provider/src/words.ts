import { vocabularyRank, withoutMarks } from '@goals/text'
import { stem } from './stem.ts'

/** Words that say how a sentence is built, not what it is about. */
const FUNCTION_WORDS = new Set(
  (
    'a about above after again against all also am an and any are as at be because been before being below between both but by ' +
    'can cannot could did do does doing done down during each either else ever every few for from further had has have having he her ' +
    'here hers him his how i if in into is it its itself just let like ll me might more most must my no nor not now of off on once one only ' +
    'or other our ours out over own please re same shall she should so some such than that the their theirs them then there these they ' +
    'this those through to too under until up upon us ve very was we were what when where whether which while who whom whose why will with ' +
    'within without would yet you your yours'
  ).split(' ')
)

/** Stems of words that nearly every exercise, page or program of a course has in it. */
const COURSE_STEMS = new Set(
  (
    'about argument basic boolean bool case char class code const constructor create def default def description elif example exercise export expect ' +
    'false final float following function get given import input instruction int integer interface issue lambda len method module must ' +
    'new none note null number object output param parameter pass print private program public raise require return self set simple ' +
    'solution static str string struct task test this true type undefined use using value var variable void want way work write ' +
    'language java javascript python ruby rust script typescript'
  )
    .split(' ')
    .map(stem)
)

const LOWEST_RANK = 30
const HIGHEST_RANK = 200_000

/**
 * How much a word says about the subject of a text, 0.02 to 1.1: nothing to go by but the word, so commonness comes
 * from its place in the tokenizer's vocabulary (a stand-in for inverse document frequency by Zipf's law), and two
 * short lists take down function words and the everyday words of courses and programs.
 */
export function wordWeight(word: string): number {
  if (FUNCTION_WORDS.has(word)) return 0.08
  const known = weights.get(word)
  if (known !== undefined) return known
  const weight = computeWeight(word)
  if (weights.size >= 50_000) weights.clear()
  weights.set(word, weight)
  return weight
}

const weights = new Map<string, number>()

function computeWeight(word: string): number {
  if (/^\p{N}/u.test(word)) return Math.min(0.7, 0.15 * word.length)
  const rank = Math.min(Math.max(vocabularyRank(word.slice(0, 40)), LOWEST_RANK), HIGHEST_RANK * 3)
  const rarity = (Math.log(rank) - Math.log(LOWEST_RANK)) / (Math.log(HIGHEST_RANK) - Math.log(LOWEST_RANK))
  const base = 0.15 + 0.85 * rarity
  return COURSE_STEMS.has(stem(word)) ? base * 0.5 : base
}

/** Whether a text is Spanish rather than English, by the little words of both. */
export function isSpanish(text: string): boolean {
  const words =
    withoutMarks(text.slice(0, 1_000))
      .toLowerCase()
      .match(/[a-z]+/g) ?? []
  const spanish = words.filter((word) => SPANISH_WORDS.has(word)).length
  return spanish > 0 && spanish > words.filter((word) => FUNCTION_WORDS.has(word) && !SPANISH_WORDS.has(word)).length
}

const SPANISH_WORDS = new Set(
  'el la los las un una de del que en para con por mi mis es esta este como se al lo sobre tareas tarea objetivo meta crea haz'.split(
    ' '
  )
)

export const isFunctionWord = (word: string): boolean => FUNCTION_WORDS.has(word)
