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
  const first = range.findIndex(({ heading }) => heading === undefined)
  if (first === -1) return { heading: joined(range[0]?.path ?? []), body: bodyOf(range) }
  const path = commonPath(range, first, range.length)
  const kept = range.filter((each, index) => index >= first || !opens(each, path))
  return { heading: joined(path), body: bodyOf(kept) }
}

/** Whether the heading is a part of the path already. */
export const opens = ({ path, heading }: Block, of: string[]): boolean =>
  heading === '' || [...path, heading].every((name, index) => name === of[index])

const joined = (path: string[]) => path.join(headingSeparator)

/** Without blank lines around, but with the indentation of the first line. */
const bodyOf = (range: Block[]) =>
  range
    .map(({ text }) => text)
    .join('')
    .replace(/^(?:[ \t]*\r?\n)+/, '')
    .trimEnd()

/** The headings that all blocks from `from` up to but not including `to` stand under. */
export function commonPath(blocks: Block[], from: number, to: number): string[] {
  const first = (blocks[from] as Block).path
  let length = first.length
  for (let at = from + 1; at < to && length > 0; at++) {
    const { path } = blocks[at] as Block
    if (path === first) continue
    let same = 0
    while (same < length && path[same] === first[same]) same += 1
    length = same
  }
  return first.slice(0, length)
}
