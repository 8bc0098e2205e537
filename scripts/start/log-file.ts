import { open, readFile, rename, stat } from 'node:fs/promises'

const largestBytes = 20 * 1024 * 1024

export type LogFile = {
  fd: number
  close: () => Promise<void>
  /** The last lines written since it was opened, without stack frames: they would push the message out. */
  tail: (lines: number) => Promise<string>
}

/** Opens a log to append to. One that has grown over 20 MiB becomes `<file>.old` first, replacing the one before. */
export async function openLog(file: string): Promise<LogFile> {
  const { size } = await stat(file).catch(() => ({ size: 0 }))
  if (size > largestBytes) await rename(file, `${file}.old`)
  const handle = await open(file, 'a', 0o600)
  const from = size > largestBytes ? 0 : size
  return {
    fd: handle.fd,
    close: () => handle.close(),
    tail: async (lines) => {
      const text = (await readFile(file)).subarray(from).toString()
      const told = text.split('\n').filter((line) => line.trim() && !/^\s+at /.test(line))
      return told.slice(-lines).join('\n')
    }
  }
}
