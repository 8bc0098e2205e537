import { type ChildProcess, spawn } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { identify, readLiving } from '../services/process-identity.ts'
import { startError } from '../services/start-error.ts'
import { stopProcess } from '../services/stop-process.ts'
import { openLog } from './log-file.ts'

export type ChildSpec = {
  /** As it is called in messages: `API`. */
  title: string
  /** File that node runs. It sends `{ type: 'ready', url? }` when it is, and ends in order on SIGTERM. */
  file: string
  /** Asked for at each start. */
  env: () => NodeJS.ProcessEnv
  /** Where its output goes; undefined shows it on the terminal. */
  logFile: string | undefined
  /** Names the process while it runs, so that one left behind by a killed launcher is found. */
  pidFile: string
  /** Milliseconds it may take to be ready. */
  readyTimeoutMs: number
  /** Milliseconds it may take to end. */
  stopTimeoutMs: number
  /** Milliseconds before it is started again: doubled each time up to `max`, from `first` anew once it ran for `calm`. */
  backoff?: { first: number; max: number; calm: number }
}

export type Ready = { url?: string }

export type Supervisor = {
  /** Resolves when the child is ready; rejects with a StartError, and starts nothing again, when it never gets there. */
  start: () => Promise<Ready>
  /** Asks it to end and waits; it is not started again. False when it had to be killed. */
  stop: () => Promise<boolean>
  /** Ends it at once. */
  kill: () => void
}

const gentle = { first: 500, max: 30_000, calm: 30_000 }

/**
 * Keeps one child process running. After the first start every death is told through `say` and followed by another
 * start. The child has a session of its own: a Ctrl-C in the terminal does not reach it past its launcher.
 */
export function createSupervisor(spec: ChildSpec, say: (text: string) => void): Supervisor {
  const backoff = spec.backoff ?? gentle
  let child: ChildProcess | undefined
  let ended: Promise<void> = Promise.resolve()
  let stopping = false
  let deaths = 0
  let timer: NodeJS.Timeout | undefined

  async function launch(): Promise<Ready> {
    const log = spec.logFile === undefined ? undefined : await openLog(spec.logFile)
    try {
      if (stopping) throw startError(`${spec.title} is being stopped`)
      const output = log?.fd ?? 'inherit'
      const current = spawn(process.execPath, [spec.file], {
        env: spec.env(),
        detached: true,
        stdio: ['ignore', output, output, 'ipc']
      })
      child = current
      const exit = new Promise<string>((resolve) => {
        current.once('exit', (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`))
        current.once('error', (error) => resolve(`could not be started: ${error.message}`))
      })
      ended = exit.then(() => undefined)
      // From the very start: a message that nobody listens for is lost.
      const ready = new Promise<Ready>((resolve) => {
        current.on('message', (message: { type?: string; url?: string }) => {
          if (message?.type === 'ready') resolve(message.url === undefined ? {} : { url: message.url })
        })
      })
      if (current.pid) {
        await writeFile(spec.pidFile, `${JSON.stringify(await identify(current.pid))}\n`, { mode: 0o600 })
      }
      const outcome = await within(Promise.race([ready, exit]), spec.readyTimeoutMs)
      if (typeof outcome === 'string') {
        current.kill('SIGKILL')
        const tail = (await log?.tail(12))?.replaceAll('\n', '\n  ')
        throw startError(`${spec.title} ${outcome}.${tail ? ` The end of its log (${spec.logFile}):\n  ${tail}` : ''}`)
      }
      const readyAt = performance.now()
      void exit.then((how) => {
        if (performance.now() - readyAt > backoff.calm) deaths = 0
        if (!stopping) again(`${spec.title} ${how}`)
      })
      return outcome
    } finally {
      await log?.close()
    }
  }

  function again(what: string): void {
    const delayMs = Math.min(backoff.max, backoff.first * 2 ** deaths)
    deaths += 1
    say(`${what}; it is started again in ${delayMs / 1000} s`)
    timer = setTimeout(() => {
      launch().then(
        () => say(`${spec.title} is back`),
        (error: Error) => {
          if (!stopping) again(error.message)
        }
      )
    }, delayMs)
  }

  return {
    start: launch,
    stop: async () => {
      stopping = true
      clearTimeout(timer)
      if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return true
      const kill = setTimeout(() => child?.kill('SIGKILL'), spec.stopTimeoutMs)
      child.kill('SIGTERM')
      await ended
      clearTimeout(kill)
      await rm(spec.pidFile, { force: true })
      return child.signalCode !== 'SIGKILL'
    },
    kill: () => {
      stopping = true
      clearTimeout(timer)
      child?.kill('SIGKILL')
    }
  }
}

/** Stops the child of an earlier, killed launcher, if one still runs. Resolves with whether there was one. */
export async function stopLeftBehind({ pidFile, stopTimeoutMs }: Pick<ChildSpec, 'pidFile' | 'stopTimeoutMs'>) {
  const left = await readLiving(pidFile)
  if (left) await stopProcess(left, 'SIGTERM', stopTimeoutMs)
  return left !== undefined
}

/** What the promise brings, or in words that it did not come in time. */
async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | string> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, `was not ready within ${timeoutMs / 1000} s`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
