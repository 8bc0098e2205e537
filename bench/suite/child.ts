import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { basename, join } from 'node:path'

export type Child = {
  pid: number
  /** what it said when it was ready */
  ready: { url?: string }
  /** milliseconds from its launch to that */
  readyAfterMs: number
  /** Sends a message and waits for the next one back. @throws Error when the process ends instead, or says `error` */
  ask<T>(message: object): Promise<T>
  /** SIGTERM, and SIGKILL when it does not end within 15 s. */
  stop(): Promise<void>
}

const stopTimeoutMs = 15_000
const readyTimeoutMs = 60_000

/**
 * Starts node on a file and waits until it sends `{ type: 'ready' }`, as the processes of the platform do. What it
 * writes goes to a log.
 * @param logs folder of the log
 */
export async function startChild(
  file: string,
  { env, logs, nodeOptions = [] }: { env: NodeJS.ProcessEnv; logs: string; nodeOptions?: string[] }
): Promise<Child> {
  const logFile = join(logs, `${basename(file, '.ts')}.log`)
  const log = await open(logFile, 'a')
  const from = performance.now()
  const child = spawn(process.execPath, [...nodeOptions, file], { env, stdio: ['ignore', log.fd, log.fd, 'ipc'] })
  await log.close()
  const next = async <T>(signal?: AbortSignal): Promise<T> => {
    const waiting = new AbortController()
    const options = { signal: signal ? AbortSignal.any([signal, waiting.signal]) : waiting.signal }
    try {
      const ended = once(child, 'exit', options).then(() => {
        throw new Error(`${basename(file)} ended: see ${logFile}`)
      })
      const [answer] = (await Promise.race([once(child, 'message', options), ended])) as [{ error?: string } & T]
      if (answer.error !== undefined) throw new Error(`${basename(file)}: ${answer.error}`)
      return answer
    } finally {
      waiting.abort()
    }
  }
  try {
    const ready = await next<{ url?: string }>(AbortSignal.timeout(readyTimeoutMs))
    return {
      pid: child.pid as number,
      ready,
      readyAfterMs: performance.now() - from,
      async ask(message) {
        child.send(message)
        return await next()
      },
      stop: () => stop(child)
    }
  } catch (error) {
    await stop(child)
    throw error
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
  await ended
  clearTimeout(timer)
}
