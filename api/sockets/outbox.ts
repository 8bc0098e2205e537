import type { WebSocket } from 'ws'

/**
 * What goes out to one connection. A reader that is too slow loses its connection, and nobody else notices: too slow
 * is one for whom more than the limit waits, here or in the log, and who has taken nothing for a second. So a burst
 * that is larger than the limit is no fault of a reader that takes it as fast as it can.
 */
export type Outbox = {
  /** Sends at once: answers, and what is in no log. */
  send(text: string): void
  /** Sends if there is room. @returns false when there is not: nothing was sent then */
  push(text: string): boolean
  /** Sends; resolves when there is room for more. */
  give(text: string): Promise<void>
  /** News waits in the log, or (with a negative number) no longer does. */
  owe(bytes: number): void
  close(): void
}

const takeWithinMs = 1_000

/**
 * @param unsentBytes how much may wait for this reader
 * @param tooSlow called once; nothing is sent after that
 */
export function createOutbox(socket: WebSocket, unsentBytes: number, tooSlow: () => void): Outbox {
  const roomBytes = unsentBytes / 4
  let owed = 0
  let takenAt = performance.now()
  let timer: NodeJS.Timeout | undefined
  let over = false

  const isOpen = () => !over && socket.readyState === socket.OPEN
  const hasTooMuch = () => socket.bufferedAmount + owed > unsentBytes

  function taken(): void {
    takenAt = performance.now()
    if (timer && !hasTooMuch()) stopWatching()
  }

  function stopWatching(): void {
    clearTimeout(timer)
    timer = undefined
  }

  function watch(): void {
    if (timer || over || !hasTooMuch()) return
    const since = performance.now()
    const judge = () => {
      if (timer !== own) return
      timer = undefined
      if (!hasTooMuch() || !isOpen()) return
      if (takenAt > since) return watch()
      over = true
      tooSlow()
    }
    // What the reader took while this process itself was busy is heard of before it is judged.
    const own = setTimeout(() => setImmediate(judge), takeWithinMs)
    timer = own
  }

  function write(text: string): void {
    socket.send(text, taken)
    watch()
  }

  return {
    send(text) {
      if (isOpen()) write(text)
    },
    push(text) {
      if (!isOpen()) return true
      if (socket.bufferedAmount > roomBytes) return false
      write(text)
      return true
    },
    async give(text) {
      if (!isOpen()) return
      if (socket.bufferedAmount <= roomBytes) return write(text)
      await new Promise<void>((resolve) => {
        socket.send(text, () => {
          taken()
          resolve()
        })
        watch()
      })
    },
    owe(bytes) {
      owed += bytes
      if (bytes > 0) watch()
      else if (timer && !hasTooMuch()) stopWatching()
    },
    close() {
      over = true
      stopWatching()
    }
  }
}
