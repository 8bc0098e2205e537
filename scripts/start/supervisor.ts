import type { ChildProcess } from 'node:child_process'
import { rename, rm, writeFile } from 'node:fs/promises'
import { identify, readLiving } from '../services/process-identity.ts'
import { startError } from '../services/start-error.ts'
import { stopProcess } from '../services/stop-process.ts'
import { type LogFile, openLog } from './log-file.ts'
import { spawnNode } from './spawn-node.ts'

export type ChildSpec = {
  /** As it is called in messages: `API`. */
  title: string
  /**
   * File that node runs. It sends `{ type: 'ready', url? }` when it is, and ends in order on SIGTERM, when another takes
   * over, and on SIGINT, when nobody does.
   */
  file: string
  /** Asked for at each start. */
  env: () => NodeJS.ProcessEnv
  /** What it listens on is shared with the one that replaces it, so that no connection is refused in between. */
  sharesPort?: boolean
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
  /**
   * Starts another beside it, and asks the old one to end when the new one is ready. False when the old one had to be
   * killed. Rejects with a StartError when the new one does not get ready; the old one stays then.
   */
  replace: () => Promise<boolean>
  /** Asks it to end and waits; it is not started again. False when it had to be killed. */
  stop: () => Promise<boolean>
  /** Ends it at once. */
  kill: () => void
}

type Child = {
  process: ChildProcess
  ended: Promise<string>
  /** resolves when all its output is in the log */
  said: Promise<unknown>
}

const gentle = { first: 500, max: 30_000, calm: 30_000 }
/** How long the output of one that has ended may still come. */
const lastWordsMs = 1_000
const hasEnded = ({ process: { pid, exitCode, signalCode } }: Child) =>
  pid === undefined || exitCode !== null || signalCode !== null

/** Keeps one child process running. After the first start every death is told through `say` and followed by another start. */
export function createSupervisor(spec: ChildSpec, say: (text: string) => void): Supervisor {
  const backoff = spec.backoff ?? gentle
  /** all that were started and have not ended */
  const living = new Set<Child>()
  /** the one whose death is followed by another start */
  let current: Child | undefined
  let stopping = false
  let deaths = 0
  let timer: NodeJS.Timeout | undefined
  let replacing = false
  let coming: Promise<void> | undefined
  let log: LogFile | undefined

  async function launch(): Promise<Ready> {
    if (stopping) throw startError(`${spec.title} is being stopped`)
    if (spec.logFile !== undefined) log ??= openLog(spec.logFile)
    const mark = log?.mark() ?? 0
    const child = spawn()
    // From the very start: a message that nobody listens for is lost.
    const ready = new Promise<Ready>((resolve) => {
      child.process.on('message', (message: { type?: string; url?: string }) => {
        if (message?.type === 'ready') resolve(message.url === undefined ? {} : { url: message.url })
      })
    })
    await note(child)
    const outcome = await within(Promise.race([ready, child.ended]), spec.readyTimeoutMs)
    if (typeof outcome === 'string') {
      child.process.kill('SIGKILL')
      await within(child.said, lastWordsMs)
      const tail = (await log?.tail(mark, 12))?.replaceAll('\n', '\n  ')
      throw startError(`${spec.title} ${outcome}.${tail ? ` The end of its log (${spec.logFile}):\n  ${tail}` : ''}`)
    }
    const readyAt = performance.now()
    current = child
    void child.ended.then((how) => {
      if (performance.now() - readyAt > backoff.calm) deaths = 0
      if (!stopping && !replacing && current === child) again(`${spec.title} ${how}`)
    })
    return outcome
  }

  function spawn(): Child {
    const output = log ? 'pipe' : 'inherit'
    const started = spawnNode(spec.file, { env: spec.env(), output, sharesPort: spec.sharesPort === true })
    const ended = new Promise<string>((resolve) => {
      started.once('exit', (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`))
      // Errors of one that runs, a message that did not get through, are followed by its exit or by nothing.
      started.on('error', ({ message }) => {
        if (started.pid === undefined) resolve(`could not be started: ${message}`)
      })
    })
    const outputs = [started.stdout, started.stderr].filter((stream) => stream !== null)
    const said = log ? Promise.all(outputs.map(log.collect)) : Promise.resolve()
    const child = { process: started, ended, said }
    living.add(child)
    void ended.then(() => living.delete(child))
    return child
  }

  async function note({ process: { pid } }: Child): Promise<void> {
    if (!pid) return
    const identity = `${JSON.stringify(await identify(pid))}\n`
    // Renamed into place, so that nobody reads half of it. Without the file only a launcher that is killed leaves something
    // behind; a full disk must cost no more than that.
    await writeFile(`${spec.pidFile}.new`, identity, { mode: 0o600 })
      .then(() => rename(`${spec.pidFile}.new`, spec.pidFile))
      .catch(() => undefined)
  }

  function again(what: string): void {
    const delayMs = Math.min(backoff.max, backoff.first * 2 ** deaths)
    deaths += 1
    say(`${what}; it is started again in ${delayMs / 1000} s`)
    timer = setTimeout(() => {
      coming = launch().then(
        () => say(`${spec.title} is back`),
        (error: Error) => {
          if (!stopping) again(error.message)
        }
      )
    }, delayMs)
  }

  async function end(child: Child, signal: NodeJS.Signals): Promise<boolean> {
    if (hasEnded(child)) return true
    let orderly = true
    const kill = setTimeout(() => {
      orderly = false
      child.process.kill('SIGKILL')
    }, spec.stopTimeoutMs)
    child.process.kill(signal)
    await child.ended
    clearTimeout(kill)
    await within(child.said, lastWordsMs)
    return orderly
  }

  return {
    start: launch,
    replace: async () => {
      await coming
      clearTimeout(timer)
      const old = current
      replacing = true
      try {
        await launch()
      } catch (error) {
        if (old && !hasEnded(old)) await note(old)
        else if (!stopping) again((error as Error).message)
        throw error
      } finally {
        replacing = false
      }
      if (current && hasEnded(current) && !stopping) {
        current = old
        if (!old || hasEnded(old)) again(`${spec.title} ended as soon as it was ready`)
        throw startError(`${spec.title} ended as soon as it was ready`)
      }
      return old ? await end(old, 'SIGTERM') : true
    },
    stop: async () => {
      stopping = true
      clearTimeout(timer)
      const orderly = await Promise.all([...living].map((child) => end(child, 'SIGINT')))
      log?.close()
      await rm(spec.pidFile, { force: true })
      return !orderly.includes(false)
    },
    kill: () => {
      stopping = true
      clearTimeout(timer)
      for (const child of living) child.process.kill('SIGKILL')
    }
  }
}

/** Stops the child of an earlier, killed launcher, if one still runs. Resolves with whether there was one. */
export async function stopLeftBehind({ pidFile, stopTimeoutMs }: Pick<ChildSpec, 'pidFile' | 'stopTimeoutMs'>) {
  const left = await readLiving(pidFile)
  if (left) await stopProcess(left, 'SIGINT', stopTimeoutMs)
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
