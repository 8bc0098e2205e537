import type { Response } from 'express'

/** A stream of server-sent events (HTML standard, 9.2) on an answer. */
export type EventStream = {
  /** Aborted when the client has gone or the stream was ended. */
  closed: AbortSignal
  /** Sends one event; the promise resolves when the client has taken it, for what can wait. */
  send(event: { id?: string; type: string; data: unknown }): Promise<void>
  /** Sends a comment, so that nobody between takes the stream for dead. */
  beat(): void
  end(): void
}

/** A reader that leaves more than this unread loses its stream; it comes back with its `Last-Event-ID`. */
const unsentBytes = 1024 * 1024

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

  async function write(text: string): Promise<void> {
    if (closed.signal.aborted) return
    if (res.writableLength > unsentBytes) {
      res.destroy()
      return
    }
    if (!res.write(text)) await new Promise<void>((resolve) => res.once('drain', resolve).once('close', resolve))
  }

  return {
    closed: closed.signal,
    send: ({ id, type, data }) =>
      write(`${id === undefined ? '' : `id: ${id}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`),
    beat: () => void write(': still here\n\n'),
    end() {
      if (!closed.signal.aborted) res.end()
      closed.abort()
    }
  }
}
