import type { Block } from './block.ts'
import type { Range } from './pack.ts'

/** A piece of a record's text that gets one vector. */
export type Chunk = {
  /** where in the text it stands: headings, or enclosing names of code, from the outermost to the innermost */
  heading: string
  body: string
}

export const headingSeparator = ' > '

/** The chunk that a range of blocks makes: headings that all of it stands under are told in `heading` alone. */
export function toChunk(blocks: Block[], { from, to }: Range): Chunk {
  const range = blocks.slice(from, to)
  const texts = range.filter(({ heading }) => heading === undefined)
  if (texts.length === 0) return { heading: joined(range[0]?.path ?? []), body: bodyOf(range) }
  const path = commonPath((range.some(isLate) ? range.slice(leading(range)) : texts).map((each) => each.path))
  const kept = range.filter((each, index) => index >= leading(range) || !opens(each, path))
  return { heading: joined(path), body: bodyOf(kept) }
}

const leading = (range: Block[]) => {
  const first = range.findIndex(({ heading }) => heading === undefined)
  return first === -1 ? range.length : first
}

const isLate = (each: Block, index: number, range: Block[]) => each.heading !== undefined && index >= leading(range)

/** Whether the heading is a part of the path already. */
const opens = ({ path, heading }: Block, of: string[]) =>
  heading === '' || [...path, heading].every((name, index) => name === of[index])

const joined = (path: string[]) => path.join(headingSeparator)

/** Without blank lines around, but with the indentation of the first line. */
const bodyOf = (range: Block[]) =>
  range
    .map(({ text }) => text)
    .join('')
    .replace(/^(?:[ \t]*\r?\n)+/, '')
    .trimEnd()

function commonPath(paths: string[][]): string[] {
  const [first = [], ...others] = paths
  let length = first.length
  for (const path of others) {
    let same = 0
    while (same < length && path[same] === first[same]) same += 1
    length = same
  }
  return first.slice(0, length)
}
