import { type Block, splitLong } from './block.ts'
import { type Chunk, toChunk } from './chunk.ts'
import { codeBlocks } from './code.ts'
import { codeLanguage } from './code-language.ts'
import { createGrammars } from '../code/grammars.ts'
import { findKept } from './reuse-chunks.ts'
import { markdownBlocks } from './markdown.ts'
import { packBlocks, type Range, roomOf, type Sizes } from './pack.ts'
import { estimateTokens } from '../text/token-estimate.ts'

const sizes: Sizes = { most: 400, enough: 120 }
/** Text beyond this many chunks is not embedded: 5 MiB of prose stay below it. */
const mostChunks = 5_000
/** Tokens of a chunk together with the headings in it. */
const mostWithHeadings = 3 * sizes.most

export type Chunkable = {
  kind: 'markdown' | 'code'
  text: string
  /** programming language, when the text is code */
  language?: string | undefined
  /** chunks of the last version: what has not changed keeps its bounds */
  old?: Chunk[]
}

/** Whose turn it is when there is a line, and what ends the wait. */
export type ChunkTurn = { owner: string; signal?: AbortSignal | undefined }

export type Chunker = {
  /** At least one chunk, of which no body is empty but that of an empty text; of 400 tokens or fewer each, headings aside. */
  chunk(input: Chunkable, turn?: ChunkTurn): Promise<Chunk[]>
}

/** Cuts where it is called: for threads and short texts, see `createChunkPool`. */
export function createChunker(): Chunker {
  const grammars = createGrammars()
  return {
    async chunk({ kind, text, language = '', old = [] }) {
      const whole =
        kind === 'code' && estimateTokens(text) > sizes.most
          ? await codeBlocks(grammars, codeLanguage(language), text, sizes.most)
          : kind === 'code'
            ? [{ text, tokens: estimateTokens(text), path: [] }]
            : markdownBlocks(text, sizes.most * mostChunks)
      const blocks = whole.flatMap(cutLong)
      const chunks = ranges(blocks, old)
        .flatMap((range) => withoutCrowds(blocks, range))
        .slice(0, mostChunks)
        .map((range) => toChunk(blocks, range))
        .filter(({ body }) => body !== '')
      return chunks.length > 0 ? chunks : [{ heading: '', body: '' }]
    }
  }
}

function cutLong(block: Block): Block[] {
  if (block.tokens <= sizes.most) return [block]
  return splitLong(block.text, sizes.most).map((text) => ({
    text,
    tokens: Math.min(estimateTokens(text), sizes.most),
    path: block.path
  }))
}

/** Kept chunks where they are, and what lies between them packed; a remainder too small to stand alone joins a neighbour. */
function ranges(blocks: Block[], old: Chunk[]): Range[] {
  const kept = findKept(blocks, old).filter((range) => tokensOf(blocks, range) <= sizes.most)
  const result: Range[] = []
  let from = 0
  for (const [index, range] of [...kept, { from: blocks.length, to: blocks.length }].entries()) {
    const gap = { from, to: range.from }
    const last = result.at(-1)
    const next = index < kept.length ? range : undefined
    from = range.to
    if (gap.from < gap.to && tokensOf(blocks, gap) < sizes.enough / 2) {
      if (last && fits(blocks, last, gap)) {
        last.to = gap.to
        gap.from = gap.to
      } else if (next && fits(blocks, gap, next)) {
        result.push({ from: gap.from, to: next.to })
        continue
      }
    }
    const packed = halves(blocks, gap, kept.length) ?? packBlocks(blocks, sizes, gap.from, gap.to)
    for (const made of packed) result.push(made)
    if (next) result.push({ ...next })
  }
  return result
}

/** Headings take no room of a chunk, unless there are more of them than any text has: then they are cut like a text. */
function withoutCrowds(blocks: Block[], { from, to }: Range): Range[] {
  const result: Range[] = []
  let start = from
  let tokens = 0
  for (let at = from; at < to; at++) {
    const more = (blocks[at] as Block).tokens
    if (tokens + more > mostWithHeadings && at > start) {
      result.push({ from: start, to: at })
      start = at
      tokens = 0
    }
    tokens += more
  }
  return [...result, { from: start, to }]
}

/** What grew a little beyond one chunk becomes two, cut where they come out most alike, whatever the sections say. */
function halves(blocks: Block[], gap: Range, kept: number): Range[] | undefined {
  const tokens = tokensOf(blocks, gap)
  if (kept === 0 || tokens <= sizes.most || tokens > sizes.most * 1.8) return undefined
  let at = gap.from
  for (let before = 0; at < gap.to && before < tokens / 2; at++) before += roomOf(blocks[at] as Block)
  while (at > gap.from && (blocks[at - 1] as Block).heading !== undefined) at -= 1
  const both = [
    { from: gap.from, to: at },
    { from: at, to: gap.to }
  ]
  return both.every((range) => range.from < range.to && tokensOf(blocks, range) <= sizes.most) ? both : undefined
}

const fits = (blocks: Block[], one: Range, other: Range) =>
  tokensOf(blocks, one) + tokensOf(blocks, other) <= sizes.most

function tokensOf(blocks: Block[], { from, to }: Range): number {
  let tokens = 0
  for (let at = from; at < to; at++) tokens += roomOf(blocks[at] as Block)
  return tokens
}
