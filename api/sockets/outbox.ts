import type { WebSocket } from 'ws'

/** What goes out to one connection. A reader that is too slow loses its connection; nobody else notices. */
export type Outbox = {
  send(text: string): void
  /** The same for old news: waits while the reader takes its time, so that catching up is never too much for it. */
  sendPaced(text: string): Promise<void>
}

/**
 * @param unsentBytes how much may be unsent; above a quarter of it old news waits
 * @param tooSlow called once, when more is unsent; nothing is sent after that
 */
export function createOutbox(socket: WebSocket, unsentBytes: number, tooSlow: () => void): Outbox {
  let over = false

  function maySend(): boolean {
    if (over || socket.readyState !== socket.OPEN) return false
    if (socket.bufferedAmount <= unsentBytes) return true
    over = true
    tooSlow()
    return false
  }

  return {
    send(text) {
      if (maySend()) socket.send(text)
    },
    async sendPaced(text) {
      if (!maySend()) return
      if (socket.bufferedAmount < unsentBytes / 4) socket.send(text)
      else await new Promise<void>((resolve) => socket.send(text, () => resolve()))
    }
  }
}
