import { writeSync } from 'node:fs'
import type { DestinationStream } from 'pino'

/** Of pino's levels: whoever logs an error may be about to end, so it is written before anything else happens. */
const errorLevel = 50

/** Characters after which nothing more is waited for. */
const most = 64 * 1024

/** How long a reader who does not keep up is waited for before the next try. */
const patienceMs = 10

export type LogLines = DestinationStream & { flushSync(): void }

/**
 * A destination for pino that writes all lines of a turn of the event loop at once: one write takes longer than its line
 * took to make. Errors are written at once, with what was before them, and the rest when the process exits, by itself or
 * by an uncaught error. What kills a process without a word (SIGKILL) takes the lines of the turn it was in.
 * @param fd standard output unless told
 */
export function createLogLines(fd = 1): LogLines {
  let gathered = ''
  let isWaiting = false
  let isClosed = false
  let hearsOfExit = false

  function flushSync(): void {
    isWaiting = false
    let bytes = Buffer.from(gathered)
    gathered = ''
    while (bytes.length > 0 && !isClosed) {
      try {
        bytes = bytes.subarray(writeSync(fd, bytes))
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, patienceMs)
        else if (code === 'EPIPE') isClosed = true
        else return // a full disk takes no line; that is no reason to end, or to keep lines until memory is full as well
      }
    }
  }

  const lines = {
    /** Has pino tell the level of each line before it is written (pino's `metadata`). */
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(line: string): void {
      gathered += line
      if (!hearsOfExit) {
        hearsOfExit = true
        process.on('exit', flushSync)
      }
      if (lines.lastLevel >= errorLevel || gathered.length > most) flushSync()
      else if (!isWaiting) {
        isWaiting = true
        setImmediate(flushSync)
      }
    },
    flushSync
  }
  return lines
}
