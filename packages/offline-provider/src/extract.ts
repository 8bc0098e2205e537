import { likeness, type Sketch, sketch } from './sketch.ts'
import type { Passage } from './passages.ts'
import { wordsOf } from './features.ts'
import { cited, sentencesOf, speaksToModel } from './sentences.ts'
import { stem } from './stem.ts'
import { isFunctionWord, wordWeight } from './words.ts'

const MAX_SENTENCES = 400
const MAX_QUOTED = 4
/** Below this likeness of question and sentence nothing is quoted. */
const LEAST = 0.1
/** Sentences that share less of what the question is about, by the weight of its words, are about something else. */
const LEAST_COVERED = 0.4
/** The same for a question of so few words that one more or less makes another question of it. */
const LEAST_COVERED_SHORT = { words: 3, share: 0.55 }
/** Words of asking, in English and Spanish, which every text may have. */
const ASKING = new Set(
  (
    'tell give show find know want need explain mean means help like going go time please say says write make does get ' +
    'work works see thing things use used way question answer ' +
    'que es la el los las un una de del en y o por para con se como cual cuales cuando donde quien son sobre lo al su mi ' +
    'explica explicame dime hay hace hacer puedo quiero'
  )
    .split(' ')
    .map(stem)
)
/** Sentences of a word or two, and list items that are none, say little by themselves. */
const SLIGHT = -0.06
const isSlight = (text: string, { features }: Sketch) => features.size < 8 || !/[.!?]$/.test(text)

type Candidate = { n: number; order: number; text: string; sketch: Sketch; title: Sketch; score: number }

/**
 * One to four sentences of the passages that best overlap with a question, in the order of their sources, each with
 * the number of its source.
 * @returns `undefined` when nothing in the passages has to do with the question
 */
export function quoteAnswer(question: string, passages: readonly Passage[]): string | undefined {
  const asked = sketch(question)
  const chosen = choose(rate(asked, passages))
  if (chosen.length === 0 || !isAbout(question, chosen)) return undefined
  return chosen.map(({ text, n }) => cited(text, n)).join(' ')
}

/**
 * Whether the chosen sentences, or the titles above them, have the words that the question is about: enough of them by
 * weight.
 */
function isAbout(question: string, chosen: readonly Candidate[]): boolean {
  const weights = new Map<string, number>()
  for (const { surface, stem: word, whole } of wordsOf(question)) {
    if (!whole && !isFunctionWord(surface) && !ASKING.has(word)) weights.set(word, wordWeight(surface))
  }
  const isMet = (word: string) =>
    chosen.some(({ sketch: own, title }) => own.features.has(`w${word}`) || title.features.has(`w${word}`))
  const all = [...weights.values()].reduce((sum, weight) => sum + weight, 0)
  const met = [...weights].filter(([word]) => isMet(word))
  const share = all === 0 ? 0 : met.reduce((sum, [, weight]) => sum + weight, 0) / all
  const least = weights.size <= LEAST_COVERED_SHORT.words ? LEAST_COVERED_SHORT.share : LEAST_COVERED
  return share >= least
}

function rate(asked: Sketch, passages: readonly Passage[]): Candidate[] {
  const candidates: Candidate[] = []
  for (const { n, title, content, type } of passages) {
    if (type === 'code_snapshot') continue // has no sentences
    const above = sketch(title)
    const place = title ? likeness(asked, above) : 0
    for (const text of sentencesOf(content)) {
      if (candidates.length >= MAX_SENTENCES) break
      if (speaksToModel(text) || text === title) continue
      const own = sketch(text)
      const score = likeness(asked, own) + 0.3 * place + (isSlight(text, own) ? SLIGHT : 0)
      candidates.push({ n, order: candidates.length, text, sketch: own, title: above, score })
    }
  }
  return candidates
}

function choose(candidates: readonly Candidate[]): Candidate[] {
  const ranked = candidates.toSorted((a, b) => b.score - a.score || a.order - b.order)
  const best = ranked[0]
  if (!best || best.score < LEAST) return []
  const chosen: Candidate[] = []
  for (const candidate of ranked) {
    if (chosen.length >= MAX_QUOTED || candidate.score < best.score * 0.55) break
    if (chosen.some((other) => likeness(other.sketch, candidate.sketch) > 0.8)) continue
    chosen.push(candidate)
  }
  return chosen.toSorted((a, b) => a.order - b.order)
}

/** The sentences closest to what a text is about as a whole, in their order, within a number of characters. */
export function summarize(text: string, maxSentences: number, maxChars: number): string {
  const sentences = sentencesOf(text).slice(0, MAX_SENTENCES)
  const centre = sketch(text)
  const ranked = sentences
    .map((sentence, order) => ({ sentence, order, score: likeness(centre, sketch(sentence)) }))
    .toSorted((a, b) => b.score - a.score || a.order - b.order)
  const chosen: typeof ranked = []
  let chars = 0
  for (const candidate of ranked) {
    if (chosen.length >= maxSentences) break
    if (chars + candidate.sentence.length > maxChars && chosen.length > 0) continue
    chosen.push(candidate)
    chars += candidate.sentence.length + 1
  }
  return chosen
    .toSorted((a, b) => a.order - b.order)
    .map(({ sentence }) => sentence)
    .join(' ')
}
