import { likeness, type Sketch, sketch } from './sketch.ts'
import type { Passage } from './passages.ts'
import { cited, sentencesOf, speaksToModel } from './sentences.ts'

const MAX_SENTENCES = 400
const MAX_QUOTED = 4
/** Below this likeness of question and sentence nothing is quoted. */
const LEAST = 0.1
/** Sentences of a word or two say little by themselves. */
const SHORT = -0.05

type Candidate = { n: number; order: number; text: string; sketch: Sketch; score: number }

/**
 * One to four sentences of the passages that best overlap with a question, in the order of their sources, each with
 * the number of its source.
 * @returns `undefined` when nothing in the passages has to do with the question
 */
export function quoteAnswer(question: string, passages: readonly Passage[]): string | undefined {
  const chosen = choose(rate(question, passages))
  if (chosen.length === 0) return undefined
  return chosen.map(({ text, n }) => cited(text, n)).join(' ')
}

function rate(question: string, passages: readonly Passage[]): Candidate[] {
  const asked = sketch(question)
  const candidates: Candidate[] = []
  for (const { n, title, content } of passages) {
    const place = title ? likeness(asked, sketch(title)) : 0
    for (const text of sentencesOf(content)) {
      if (candidates.length >= MAX_SENTENCES) break
      if (speaksToModel(text)) continue
      const own = sketch(text)
      const score = likeness(asked, own) + 0.3 * place + (own.features.size < 8 ? SHORT : 0)
      candidates.push({ n, order: candidates.length, text, sketch: own, score })
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
