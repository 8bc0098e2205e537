import { type ChildProcess, spawn } from 'node:child_process'
import cluster from 'node:cluster'

/**
 * Starts node on a file, with a channel for messages. It has a session of its own, so that a Ctrl-C in the terminal does
 * not reach it past its launcher.
 *
 * With `sharesPort` it is a process of node's cluster instead, without a session: the launcher holds what these listen
 * on and hands it to each, accepts nothing itself, and keeps it open while one of them uses it. A connection that
 * waits to be accepted when one of them ends is accepted by another.
 */
export function spawnNode(
  file: string,
  { env, output, sharesPort }: { env: NodeJS.ProcessEnv; output: 'pipe' | 'inherit'; sharesPort: boolean }
): ChildProcess {
  if (!sharesPort) {
    return spawn(process.execPath, [file], { env, detached: true, stdio: ['ignore', output, output, 'ipc'] })
  }
  cluster.schedulingPolicy = cluster.SCHED_NONE
  // Settings are of the whole process and read at each fork.
  cluster.setupPrimary({ exec: file, args: [], execArgv: [], stdio: ['ignore', output, output, 'ipc'] })
  const worker = cluster.fork(env)
  // It repeats the errors of its process, to which the caller listens; unheard they would end the launcher.
  worker.on('error', () => undefined)
  return worker.process
}
