import type { Response } from 'express'
import { showRequestLimits } from './request-limits.ts'

/** A stream of data-only server-sent events, as OpenAI's API has them. */
export type ChunkStream = {
  /** Sends one event; the first one begins the answer. */
  send(data: object): void
  /** Sends a comment, so that nobody between takes the stream for dead. */
  beat(): void
  /** @param isComplete whether the stream came to its own end */
  end(isComplete: boolean): void
  hasBegun(): boolean
}

/** Bytes that wait for a reader at most: several times what the longest answer has. */
const roomBytes = 16 * 1024 * 1024

/**
 * Begins with the first event, or the first beat: what fails before that is an answer with a status of its own. A reader
 * that takes nothing loses its stream.
 */
export function openChunkStream(res: Response): ChunkStream {
  function begin(): void {
    if (res.headersSent) return
    showRequestLimits(res)
    res.status(200).set({
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      // nginx gathers answers unless told
      'X-Accel-Buffering': 'no'
    })
    res.flushHeaders()
  }

  function write(text: string): void {
    if (res.destroyed || res.writableEnded) return
    begin()
    if (!res.write(text) && res.writableLength > roomBytes) res.destroy()
  }

  return {
    send: (data) => write(`data: ${JSON.stringify(data)}\n\n`),
    beat: () => write(': still here\n\n'),
    end(isComplete) {
      if (isComplete) write('data: [DONE]\n\n')
      if (!res.writableEnded) res.end()
    },
    hasBegun: () => res.headersSent
  }
}
