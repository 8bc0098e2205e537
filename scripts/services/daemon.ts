import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { open, readFile, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { rememberedPort } from './free-port.ts'
import { identify, isAlive, type ProcessIdentity, readLiving } from './process-identity.ts'
import { sendSignal, stopProcess } from './stop-process.ts'
import { startError } from './start-error.ts'

export type DaemonSpec = {
  /** As people call it: `PostgreSQL`. */
  name: string
  command: string
  /** What it is started with, once its port is known. */
  onPort: (port: number) => { args: string[]; env: Record<string, string> }
  cwd: string
  user?: { uid: number; gid: number } | undefined
  logFile: string
  /** Holds the process, its port and its settings while it runs. */
  pidFile: string
  /** Remembers the port between starts. */
  portFile: string
  /** What an instance that was left behind must have in common with this one to be used again. */
  fingerprint: string
  /** Asks for an orderly end. */
  stopSignal: NodeJS.Signals
  /** Milliseconds after which the end is no longer orderly. */
  stopTimeoutMs: number
}

export type Daemon = {
  pid: number
  port: number
  isRunning: () => Promise<boolean>
  /** Asks for an orderly end and waits for it. */
  stop: () => Promise<void>
  /** Asks for an orderly end without waiting. */
  letGo: () => void
}

type Note = ProcessIdentity & { port: number; fingerprint: string }

/**
 * Starts a program in a session of its own, so that the terminal's Ctrl-C reaches only its launcher, and notes it
 * in the pid file. One that an earlier, killed launcher left behind is taken over when it was started in the same
 * way, and stopped first when it was not.
 */
export async function startDaemon(spec: DaemonSpec): Promise<Daemon> {
  const left = await readLiving(spec.pidFile)
  if (left) {
    const note = JSON.parse(await readFile(spec.pidFile, 'utf8')) as Note
    if (note.fingerprint === spec.fingerprint) return daemonOf(spec, left, note.port)
    await stopProcess(left, spec.stopSignal, spec.stopTimeoutMs)
  }

  const port = await rememberedPort(spec.portFile)
  const { args, env } = spec.onPort(port)
  const log = await open(spec.logFile, 'a', 0o600)
  try {
    const child = spawn(spec.command, args, {
      cwd: spec.cwd,
      env,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      ...spec.user
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', (error) => reject(startError(`${spec.name} could not be started: ${error.message}`, error)))
    })
    child.unref()
    const identity = await identify(child.pid as number)
    writeNote(spec, { ...identity, port, fingerprint: spec.fingerprint })
    return daemonOf(spec, identity, port)
  } finally {
    await log.close()
  }
}

function daemonOf(spec: DaemonSpec, identity: ProcessIdentity, port: number): Daemon {
  return {
    pid: identity.pid,
    port,
    isRunning: () => isAlive(identity),
    letGo: () => {
      // A start that comes while it still ends must wait for that and not take it over.
      writeNote(spec, { ...identity, port, fingerprint: 'ending' })
      sendSignal(identity.pid, spec.stopSignal)
    },
    stop: async () => {
      await stopProcess(identity, spec.stopSignal, spec.stopTimeoutMs)
      await rm(spec.pidFile, { force: true })
    }
  }
}

/** At once, since letting go is the last thing a process does. */
function writeNote({ pidFile }: DaemonSpec, note: Note): void {
  writeFileSync(pidFile, `${JSON.stringify(note)}\n`, { mode: 0o600 })
}

/**
 * Waits until the probe answers true. A daemon that ends meanwhile, or takes longer than the time (it is then
 * stopped), is a StartError with the end of its log.
 */
export async function untilReady(
  spec: DaemonSpec,
  daemon: Daemon,
  probe: () => Promise<boolean>,
  timeoutMs: number
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await probe())) {
    const late = Date.now() > deadline
    if (late || !(await daemon.isRunning())) {
      const tail = (await readFile(spec.logFile, 'utf8')).trim().split('\n').slice(-8).join('\n  ')
      await daemon.stop()
      const what = late ? `did not answer within ${timeoutMs / 1000} s` : 'ended right after its start'
      throw startError(`${spec.name} ${what}. The end of its log (${spec.logFile}):\n  ${tail}`)
    }
    await sleep(50)
  }
}
