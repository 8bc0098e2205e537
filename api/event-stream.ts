import { once } from 'node:events'
import type { Response } from 'express'
import { orAborted } from '../lib/time/pause.ts'

/** A stream of server-sent events (HTML standard, 9.2) on an answer. */
export type EventStream = {
  /** Aborted when the client has gone or the stream was ended. */
  closed: AbortSignal
  /** Sends one event if there is room. @returns false when there is not: nothing was sent then */
  push(event: StreamedEvent): boolean
  /** Sends one event; resolves when there is room for more. */
  give(event: StreamedEvent): Promise<void>
  /** Sends a comment, so that nobody between takes the stream for dead. */
  beat(): void
  end(): void
}

export type StreamedEvent = { id: string; type: string; data: unknown }

/** A reader that takes nothing for this long loses its stream; it comes back with its `Last-Event-ID`. */
const takeWithinMs = 30_000
const roomBytes = 256 * 1024

export function openEventStream(res: Response): EventStream {
  const closed = new AbortController()
  res.on('close', () => closed.abort())
  res.status(200).set({
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    // nginx gathers answers unless told
    'X-Accel-Buffering': 'no'
  })
  res.flushHeaders()

  const isOpen = () => !closed.signal.aborted
  const write = ({ id, type, data }: StreamedEvent) =>
    res.write(`id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`)

  return {
    closed: closed.signal,
    push(event) {
      if (!isOpen()) return true
      if (res.writableLength > roomBytes) return false
      write(event)
      return true
    },
    async give(event) {
      if (!isOpen() || write(event)) return
      const late = AbortSignal.timeout(takeWithinMs)
      await orAborted(once(res, 'drain'), AbortSignal.any([closed.signal, late]))
      if (late.aborted) res.destroy()
    },
    beat() {
      if (isOpen() && res.writableLength < roomBytes) res.write(': still here\n\n')
    },
    end() {
      if (isOpen()) res.end()
      closed.abort()
    }
  }
}
