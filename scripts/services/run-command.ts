import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { startError } from './start-error.ts'

type Options = {
  /** Everything the command prints is appended here. */
  logFile?: string
  env?: Record<string, string | undefined>
  cwd?: string
  /** Run as this user; supplementary groups are dropped. */
  user?: { uid: number; gid: number } | undefined
  timeoutMs?: number
  /** Is told the last line of what is printed, now and then, to show that the work goes on. */
  onLine?: (line: string) => void
}

export type CommandResult = { code: number; output: string }

/** Runs a program to its end without a terminal. A program that cannot be started counts as exit code 127. */
export function runCommand(command: string, args: string[], options: Options = {}): Promise<CommandResult> {
  const { logFile, env, cwd, user, timeoutMs, onLine } = options
  return new Promise((resolve) => {
    const log = logFile ? createWriteStream(logFile, { flags: 'a', mode: 0o600 }) : undefined
    log?.write(`${new Date().toISOString()} $ ${command} ${args.join(' ')}\n`)
    let output = ''
    const child = spawn(command, args, {
      cwd,
      env: env as NodeJS.ProcessEnv,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(user ? { uid: user.uid, gid: user.gid } : {}),
      ...(timeoutMs ? { timeout: timeoutMs, killSignal: 'SIGKILL' as const } : {})
    })
    const take = (chunk: Buffer) => {
      log?.write(chunk)
      const text = chunk.toString()
      output = (output + text).slice(-200_000)
      const line = text.trimEnd().split('\n').at(-1)?.trim()
      if (line) onLine?.(line)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    const end = (code: number) => {
      log?.end()
      resolve({ code, output })
    }
    child.once('error', (error) => {
      output += error.message
      end(127)
    })
    child.once('close', (code) => end(code ?? 1))
  })
}

/** As runCommand, but an exit code other than 0 is a StartError with the last lines of what was printed. */
export async function runOrFail(command: string, args: string[], options: Options = {}): Promise<string> {
  const { code, output } = await runCommand(command, args, options)
  if (code === 0) return output
  const tail = output.trim().split('\n').slice(-8).join('\n  ')
  const where = options.logFile ? ` (all of it: ${options.logFile})` : ''
  throw startError(`\`${command} ${args.slice(0, 3).join(' ')}\` ended with code ${code}${where}:\n  ${tail}`)
}
