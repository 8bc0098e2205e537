import { readFile } from 'node:fs/promises'
import { runCommand } from './run-command.ts'

/** A process id is used again after its owner ended; together with the moment of birth it means one process. */
export type ProcessIdentity = { pid: number; born: string }

/** When the process was born, in whatever form the system tells it; undefined when there is no such process. */
async function bornAt(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat !== undefined) {
    // proc(5): the name in parentheses may hold spaces; state is the first field after it, start time the 20th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  }
  if (process.platform === 'linux') return undefined
  const { code, output } = await runCommand('ps', ['-o', 'lstart=', '-p', String(pid)])
  return code === 0 && output.trim() ? output.trim() : undefined
}

export async function identify(pid: number): Promise<ProcessIdentity> {
  return { pid, born: (await bornAt(pid)) ?? 'gone' }
}

export async function isAlive({ pid, born }: ProcessIdentity): Promise<boolean> {
  return (await bornAt(pid)) === born
}

/** What a pid file holds, if that very process still runs. */
export async function readLiving(file: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const found = /"pid":(\d+),"born":"([^"]+)"/.exec(text)
  const identity = found ? { pid: Number(found[1]), born: found[2] ?? '' } : undefined
  return identity && (await isAlive(identity)) ? identity : undefined
}
