import { inTurns } from '../../lib/sharing/in-turns.ts'
import { createFenceTracker } from './code-fences.ts'

export type Sentence = { text: string; citations: number[] }

const citation = /\[(\d{1,4})\]/g
const abbreviation = /(?:^|[\s(])(?:e\.g|i\.e|cf|vs|approx|no|fig|dr|mr|mrs|ms|prof|st)\.\s*$/i
/** An abbreviation with the blanks around it has fewer characters. */
const abbreviationChars = 100
const listMarker = /^\s*(?:>\s?)*(?:[-*+]|\d{1,9}[.)])\s+/
const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' })

/**
 * The sentences of a Markdown answer with the numbers each cites. Sentences end as Unicode says (UAX 29), but not inside
 * of code; a code block belongs to the sentence before it; headings and rules are no sentences. However long the answer
 * is, others get their turn meanwhile.
 */
export async function sentencesOf(answer: string, signal?: AbortSignal): Promise<Sentence[]> {
  return await inTurns(reading(answer), signal)
}

function* reading(answer: string): Generator<void, Sentence[]> {
  const sentences: Sentence[] = []
  for (const block of yield* blocksOf(answer)) {
    if (!block.isCode) yield* split(block.text, sentences)
    else if (sentences.length > 0) (sentences.at(-1) as Sentence).text += `\n${block.text}`
    else sentences.push({ text: block.text, citations: [] })
  }
  return sentences
}

type Block = { isCode: boolean; text: string }

function* blocksOf(answer: string): Generator<void, Block[]> {
  const fences = createFenceTracker()
  const blocks: Block[] = []
  let open: Block | undefined
  const add = (block: Block) => {
    blocks.push(block)
    open = block
  }
  for (const line of answer.split('\n')) {
    yield
    const kind = fences.classify(line)
    if (kind === 'open') add({ isCode: true, text: line })
    else if (kind !== 'prose') {
      if (open?.isCode) open.text += `\n${line}`
      if (kind === 'close') open = undefined
    } else if (line.trim() === '' || isRule(line.trimStart())) open = undefined
    else if (open?.isCode || !open || listMarker.test(line) || /^\s*\|/.test(line)) {
      add({ isCode: false, text: line.replace(listMarker, '') })
    } else open.text += ` ${line.trim().replace(/^(?:>\s?)+/, '')}`
  }
  return blocks
}

/** A heading, or a line of nothing but signs. */
const isRule = (line: string) => /^(?:#{1,6}\s|[-*_=\s|:]+$)/.test(line)

/** Code spans as `x`: same length, so that places in one are places in the other. */
function withoutCodeSpans(text: string): string {
  let masked = ''
  let done = 0
  for (let open = text.indexOf('`'); open >= 0; open = text.indexOf('`', done)) {
    const marks = marksAt(text, open, text.length)
    const next = text.indexOf('`', open + marks)
    const closes = next >= 0 && marksAt(text, next, marks) === marks
    // Marks that nothing closes close each other.
    const end = closes ? next + marks : marks > 1 ? open + 2 * Math.floor(marks / 2) : open
    masked += text.slice(done, open) + 'x'.repeat(end - open)
    done = end
    if (end > open) continue
    masked += '`'
    done += 1
  }
  return masked + text.slice(done)
}

/** How many backticks there are from a place on, counted up to a number. */
function marksAt(text: string, at: number, most: number): number {
  let marks = 0
  while (marks < most && text[at + marks] === '`') marks += 1
  return marks
}

function* split(text: string, sentences: Sentence[]): Generator<void, void> {
  const masked = withoutCodeSpans(text)
  // As blanks, citations stay with the sentence they follow, before its full stop or after it.
  const words = masked.replace(citation, (brackets) => ' '.repeat(brackets.length))
  const ends: number[] = []
  for (const { segment, index } of segmenter.segment(words)) {
    const begins = Math.max(ends.at(-2) ?? 0, index - abbreviationChars)
    if (ends.length > 0 && abbreviation.test(words.slice(begins, index))) ends.pop()
    ends.push(index + segment.length)
    yield
  }
  let from = 0
  for (const end of ends) {
    const sentence = text.slice(from, end).trim()
    const numbers = [...masked.slice(from, end).matchAll(citation)].map(([, n]) => Number(n))
    from = end
    yield
    if (!/[\p{L}\p{N}]/u.test(sentence.replace(citation, ''))) continue
    sentences.push({ text: sentence, citations: [...new Set(numbers)] })
  }
}
