import type { Block } from './block.ts'

/** Blocks from `from` up to but not including `to`: what becomes one chunk. */
export type Range = { from: number; to: number }

export type Sizes = {
  /** tokens that no chunk has more of */
  most: number
  /** a chunk of this many tokens is closed where a new section begins; one of fewer goes on */
  enough: number
}

/** Headings are carried in the path, so they take no room of the chunk. */
export const roomOf = ({ tokens, heading }: Block): number => (heading === undefined ? tokens : 0)

/** The section a block belongs to: a heading to the one it opens. */
const sectionOf = ({ path, heading }: Block) => (heading ? [...path, heading] : path)

/**
 * Groups blocks to chunks along their sections: a section that fits is kept whole, small neighbours below the same
 * heading share a chunk, a section that is too long is cut between its parts. No block may exceed `most` itself.
 */
export function packBlocks(blocks: Block[], sizes: Sizes, from = 0, to = blocks.length): Range[] {
  const before: number[] = [0]
  for (let at = from; at < to; at++) before.push((before.at(-1) as number) + roomOf(blocks[at] as Block))
  const tokens = (range: Range) => (before[range.to - from] as number) - (before[range.from - from] as number)

  function pack(range: Range, depth: number): Range[] {
    if (range.from === range.to) return []
    if (tokens(range) <= sizes.most) return [range]
    const result: Range[] = []
    let held: Range | undefined
    const flush = () => {
      if (held) result.push(held)
      held = undefined
    }
    for (const part of parts(range, depth)) {
      if (part.section && held && tokens(held) >= sizes.enough) flush()
      if (held && tokens(held) + tokens(part) > sizes.most) flush()
      if (tokens(part) > sizes.most) {
        flush()
        for (const packed of pack(part, depth + 1)) result.push(packed)
      } else held = { from: held?.from ?? part.from, to: part.to }
    }
    flush()
    return result
  }

  /** What stands directly below the headings of this depth, one by one, and each section below them as a whole. */
  function parts({ from, to }: Range, depth: number): (Range & { section: boolean })[] {
    const result: (Range & { section: boolean })[] = []
    let open: string | undefined
    for (let at = from; at < to; at++) {
      const each = blocks[at] as Block
      const section = sectionOf(each)[depth]
      const last = result.at(-1)
      const opens = each.heading !== undefined && each.path.length === depth
      if (section !== undefined && last?.section && section === open && !opens) last.to = at + 1
      else result.push({ from: at, to: at + 1, section: section !== undefined })
      open = section
    }
    return result
  }

  return pack({ from, to }, 0)
}
