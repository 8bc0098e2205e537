import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive, type ProcessIdentity } from './process-identity.ts'

/** Sends a signal to a process, or to a whole group when the number is negative; one that is gone is no failure. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself in between, which is what was wanted.
  }
}

/** Asks the process to end and waits for it; kills it when it does not within the time. True when it was orderly. */
export async function stopProcess(
  identity: ProcessIdentity,
  signal: NodeJS.Signals,
  timeoutMs: number
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  sendSignal(identity.pid, signal)
  while (await isAlive(identity)) {
    if (Date.now() > deadline) {
      sendSignal(identity.pid, 'SIGKILL')
      return false
    }
    await sleep(25)
  }
  return true
}
