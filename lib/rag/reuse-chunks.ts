import type { Block } from './block.ts'
import { type Chunk, commonPath, opens, toChunk } from './chunk.ts'
import type { Range } from './pack.ts'

/** Blocks that begin with the same line are tried up to this many, so that a text of equal lines stays cheap. */
const mostTries = 20

/**
 * Finds the chunks of a text's last version again in its blocks, in their order, so that they keep their bounds and
 * only what lies between is cut anew: one changed paragraph then costs one chunk, however long the text. Time grows with
 * the blocks, and with the old chunks' blocks times `mostTries`.
 * @returns ranges in ascending order without overlap
 */
export function findKept(blocks: Block[], old: Chunk[]): Range[] {
  const starts = new Map<string, number[]>()
  blocks.forEach(({ text }, index) => {
    const line = firstLine(text)
    const known = starts.get(line)
    if (known) known.push(index)
    else starts.set(line, [index])
  })
  const kept: Range[] = []
  let after = 0
  for (const chunk of old) {
    const range = find(blocks, chunk, after, starts.get(firstLine(chunk.body)) ?? [])
    if (!range) continue
    kept.push(range)
    after = range.to
  }
  return kept
}

function find(blocks: Block[], chunk: Chunk, after: number, candidates: number[]): Range | undefined {
  const first = firstFrom(candidates, after)
  for (const start of candidates.slice(first, first + mostTries)) {
    const to = endOf(blocks, start, chunk.body)
    // Headings before the start change neither body nor path: when it is another chunk from here, it is one from there.
    if (to === undefined || !same(toChunk(blocks, { from: start, to }), chunk)) continue
    return { from: fromOf(blocks, start, to, after), to }
  }
  return undefined
}

/** Where the headings begin that stand before a chunk and are told in its path. */
function fromOf(blocks: Block[], start: number, to: number, after: number): number {
  let text = start
  while (text < to && (blocks[text] as Block).heading !== undefined) text += 1
  if (text === to) return start
  const path = commonPath(blocks, text, to)
  let from = start
  while (from > after && isDropped(blocks[from - 1] as Block, path)) from -= 1
  return from
}

/** Where the blocks from `start` have given the body, or `undefined` when they give something else. */
function endOf(blocks: Block[], start: number, body: string): number | undefined {
  let given = 0
  for (let at = start; at < blocks.length; at++) {
    const text = at === start ? (blocks[at] as Block).text.replace(/^(?:[ \t]*\r?\n)+/, '') : (blocks[at] as Block).text
    const rest = body.length - given
    if (text.length >= rest)
      return body.endsWith(text.slice(0, rest)) && text.slice(rest).trim() === '' ? at + 1 : undefined
    if (!body.startsWith(text, given)) return undefined
    given += text.length
  }
  return undefined
}

/** The first index of an ascending list whose value is at least `least`. */
function firstFrom(ascending: number[], least: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ascending[middle] as number) < least) low = middle + 1
    else high = middle
  }
  return low
}

const isDropped = (block: Block, path: string[]) => block.heading !== undefined && opens(block, path)

const same = (one: Chunk, other: Chunk) => one.body === other.body && one.heading === other.heading

function firstLine(text: string): string {
  const start = text.search(/\S/)
  if (start === -1) return ''
  const end = text.indexOf('\n', start)
  return text.slice(start, end === -1 ? start + 200 : Math.min(end, start + 200)).trimEnd()
}
