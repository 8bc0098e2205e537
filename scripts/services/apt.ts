import { rmSync } from 'node:fs'
import { access, readFile, writeFile } from 'node:fs/promises'
import { runCommand, runOrFail } from './run-command.ts'

const policyFile = '/usr/sbin/policy-rc.d'

/** Whether packages can be installed here: root, on Debian or one of its children. */
export async function canInstall(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  if (!/^ID(_LIKE)?=.*(debian|ubuntu)/m.test(release)) return false
  return (await runCommand('apt-get', ['--version'])).code === 0
}

/** Environment of every apt call: no question is asked and no message is translated. */
export function aptEnv(path: string): Record<string, string> {
  return { PATH: path, HOME: '/root', DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C', NEEDRESTART_MODE: 'l' }
}

/** Reads the package lists anew. Being offline is no reason to stop: the lists that are here may do. */
export async function aptUpdate(path: string, logFile: string): Promise<void> {
  await runCommand('apt-get', ['update', '-q'], { logFile, env: aptEnv(path) })
}

/** The version that would be installed, or undefined when the machine's sources do not have the package. */
export async function aptCandidate(name: string, path: string): Promise<string | undefined> {
  const { output } = await runCommand('apt-cache', ['policy', name], { env: aptEnv(path) })
  const version = /Candidate: (\S+)/.exec(output)?.[1]
  return version === '(none)' ? undefined : version
}

/**
 * Installs packages without starting the daemons they bring, now or at the next boot: the private instances are
 * ours, the machine's own stay as they were.
 */
export async function aptInstall(
  packages: string[],
  path: string,
  logFile: string,
  onLine: (line: string) => void
): Promise<void> {
  const env = aptEnv(path)
  await withoutDaemons(async () => {
    const options = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Options::=--force-confold']
    await runOrFail('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...options, ...packages], {
      logFile,
      env,
      onLine
    })
  })
  const systemd = await access('/run/systemd/system').then(
    () => true,
    () => false
  )
  const daemons = packages.filter((name) => ['redis-server', 'rabbitmq-server', 'postgresql'].includes(name))
  if (systemd && daemons.length) await runCommand('systemctl', ['disable', ...daemons], { logFile, env })
}

/** policy-rc.d answers "forbidden" (101) for as long as the work runs; one that is there already is left alone. */
async function withoutDaemons(work: () => Promise<void>): Promise<void> {
  const ours = await writeFile(policyFile, '#!/bin/sh\nexit 101\n', { flag: 'wx', mode: 0o755 }).then(
    () => true,
    () => false
  )
  const remove = () => rmSync(policyFile, { force: true })
  if (ours) process.once('exit', remove) // a second Ctrl-C ends this process without the lines below
  try {
    await work()
  } finally {
    if (ours) remove()
    process.off('exit', remove)
  }
}
