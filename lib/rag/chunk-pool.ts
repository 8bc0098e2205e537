import { createThreadPool } from '../sharing/thread-pool.ts'
import type { Chunk } from './chunk.ts'
import { type Chunkable, type Chunker, createChunker } from './chunker.ts'
import { estimateTokens } from '../text/token-estimate.ts'

/** Characters of Markdown, with those of its old chunks, that are cut within a few milliseconds. */
const shortChars = 16_384
/** Code of so many tokens is one chunk and needs no grammar. */
const shortCodeTokens = 400

export type ChunkPool = Chunker & { close(): Promise<void> }

/**
 * Cuts texts on threads, owner by owner in turn, but for short ones, which take less time than the way to a thread. A
 * text that takes more than its time or memory fails alone with `TooComplex`: 5 MiB of the worst we know take a few
 * seconds.
 */
export function createChunkPool({ deadlineMs = 60_000 }: { deadlineMs?: number } = {}): ChunkPool {
  const here = createChunker()
  const threads = createThreadPool<Chunkable, Chunk[]>({
    name: 'cutting texts',
    entry: new URL('./chunk-thread.ts', import.meta.url),
    threads: 2,
    threadsOfOwner: 1,
    deadlineMs,
    // A job that waits here costs nothing but its place in the queue.
    longestWaitMs: 120_000,
    memoryMb: 512,
    // A thread keeps what its largest text took.
    idleMs: 20_000
  })
  return {
    async chunk(input, turn) {
      if (isShort(input)) return await here.chunk(input)
      return await threads.ask(turn?.owner ?? '', input, turn?.signal ? { signal: turn.signal } : {})
    },
    close: threads.close
  }
}

function isShort({ kind, text, old = [] }: Chunkable): boolean {
  let chars = text.length
  for (const { body } of old) chars += body.length
  return chars <= shortChars && (kind === 'markdown' || estimateTokens(text) <= shortCodeTokens)
}
