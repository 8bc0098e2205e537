import { access, constants, readdir, realpath } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { runCommand } from './run-command.ts'

export type PostgresProgram = { bin: string; major: number; hasVector: boolean; shareDir: string; libDir: string }

const oldestPostgres = 15

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false
  )
}

async function subfolders(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.map((name) => join(folder, name))
}

/** The first of these names on PATH, or in the folders where systems keep their daemons; undefined when none is. */
export async function findProgram(names: string[], path: string): Promise<string | undefined> {
  const folders = [...path.split(delimiter), '/usr/local/sbin', '/usr/sbin', '/opt/homebrew/bin', '/opt/homebrew/sbin']
  for (const name of names) {
    for (const folder of folders) {
      const file = join(folder, name)
      if (folder && (await isExecutable(file))) return file
    }
  }
  return undefined
}

/**
 * PostgreSQL installations that are new enough (15 or later): those with pgvector first, then the newest.
 * Debian keeps them off PATH, in /usr/lib/postgresql/<major>/bin.
 */
export async function findPostgres(path: string): Promise<PostgresProgram[]> {
  const homebrew = [...(await subfolders('/opt/homebrew/opt')), ...(await subfolders('/usr/local/opt'))]
  const folders = [
    ...path.split(delimiter),
    ...(await subfolders('/usr/lib/postgresql')).map((folder) => join(folder, 'bin')),
    ...(await subfolders('/usr')).filter((name) => /pgsql/.test(name)).map((folder) => join(folder, 'bin')),
    ...homebrew.filter((name) => /postgresql/.test(name)).map((folder) => join(folder, 'bin'))
  ]
  const found = new Map<string, PostgresProgram>()
  for (const folder of folders) {
    if (!folder || !(await isExecutable(join(folder, 'postgres')))) continue
    const bin = dirname(await realpath(join(folder, 'postgres')))
    if (found.has(bin) || !(await isExecutable(join(bin, 'initdb')))) continue
    const program = await describePostgres(bin)
    if (program && program.major >= oldestPostgres) found.set(bin, program)
  }
  return [...found.values()].sort((a, b) => Number(b.hasVector) - Number(a.hasVector) || b.major - a.major)
}

async function describePostgres(bin: string): Promise<PostgresProgram | undefined> {
  const version = await runCommand(join(bin, 'postgres'), ['--version'])
  const major = Number(/\(PostgreSQL\) (\d+)/.exec(version.output)?.[1])
  const folders = await runCommand(join(bin, 'pg_config'), ['--sharedir', '--pkglibdir'])
  const [shareDir, libDir] = folders.output.trim().split('\n')
  if (!major || folders.code !== 0 || !shareDir || !libDir) return undefined
  const hasVector = await access(join(shareDir, 'extension', 'vector.control')).then(
    () => true,
    () => false
  )
  return { bin, major, hasVector, shareDir, libDir }
}

export const findRedis = (path: string) => findProgram(['redis-server', 'valkey-server'], path)

/** RabbitMQ's own start script; Debian's wrapper of the same name on PATH changes user and drops the environment. */
export async function findRabbitmq(path: string): Promise<string | undefined> {
  const debian = '/usr/lib/rabbitmq/bin/rabbitmq-server'
  return (await isExecutable(debian)) ? debian : findProgram(['rabbitmq-server'], path)
}

export const findChromium = (path: string) =>
  findProgram(['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'], path)
