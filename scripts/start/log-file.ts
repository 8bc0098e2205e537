import { closeSync, fstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'

const largestBytes = 20 * 1024 * 1024
/** Older parts, `<file>.1` the newest of them. */
const kept = 4
/** A line without an end that is longer than this is written in parts. */
const longestLine = 1024 * 1024
const newline = 10

export type LogFile = {
  /** Writes what a process says, line by line as lines are complete. Resolves when it has said its last. */
  collect: (output: Readable) => Promise<void>
  /** A place in the log, for `tail`. */
  mark: () => number
  /** The last lines written since `mark`, without stack frames: they would push the message out. */
  tail: (mark: number, lines: number) => Promise<string>
  close: () => void
}

/**
 * A log to append to. Before it grows over 20 MiB it becomes `<file>.1`, the one that had this name `<file>.2` and so
 * on, and the fifth is removed, so that all together stay under 100 MiB however long it is written and by whomever. A
 * line is never torn between two of them, nor lost; lines of several processes do not mix.
 */
export function openLog(file: string, { rotateBytes = largestBytes } = {}): LogFile {
  let fd = openSync(file, 'a', 0o600)
  let size = fstatSync(fd).size
  /** bytes written in all, over rotations */
  let written = size
  let closed = false

  function rotate(): void {
    closeSync(fd)
    rmSync(`${file}.${kept}`, { force: true })
    for (let n = kept - 1; n >= 0; n--) {
      try {
        renameSync(n === 0 ? file : `${file}.${n}`, `${file}.${n + 1}`)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
    fd = openSync(file, 'a', 0o600)
    size = 0
  }

  function write(bytes: Buffer): void {
    if (closed || bytes.length === 0) return
    try {
      if (size > 0 && size + bytes.length > rotateBytes) rotate()
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
      size += bytes.length
      written += bytes.length
    } catch {
      // A full disk must stop neither the launcher nor who writes.
    }
  }

  return {
    async collect(output) {
      let rest = Buffer.alloc(0)
      const take = (chunk: Buffer) => {
        const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
        const end = bytes.length > longestLine ? bytes.length : bytes.lastIndexOf(newline) + 1
        write(bytes.subarray(0, end))
        rest = Buffer.from(bytes.subarray(end))
      }
      output.on('data', take)
      await new Promise<void>((resolve) => {
        output.once('close', resolve)
        output.once('error', () => resolve()) // what a process that is gone would have said
      })
      if (rest.length > 0) write(Buffer.concat([rest, Buffer.of(newline)]))
    },
    mark: () => written,
    async tail(mark, lines) {
      const handle = await open(file)
      try {
        const bytes = Math.min(size, written - mark, 256 * 1024)
        const { buffer } = await handle.read(Buffer.alloc(bytes), 0, bytes, size - bytes)
        const told = buffer
          .toString()
          .split('\n')
          .filter((line) => line.trim() && !/^\s+at /.test(line))
        return told.slice(-lines).join('\n')
      } finally {
        await handle.close()
      }
    },
    close() {
      if (closed) return
      closed = true
      closeSync(fd)
    }
  }
}
