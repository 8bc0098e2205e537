import { createHash } from 'node:crypto'
import { access, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type DaemonSpec, startDaemon, untilReady } from './daemon.ts'
import { withPostgres } from './postgres-client.ts'
import type { PrivateService, ServicePlace } from './private-service.ts'
import type { PostgresProgram } from './programs.ts'
import { runCommand, runOrFail } from './run-command.ts'
import { keptSecret } from './secret-file.ts'
import { startError } from './start-error.ts'

const role = 'goals'
const database = 'goals'

type User = { uid: number; gid: number; home: string }

/**
 * A private PostgreSQL with pgvector: password login on 127.0.0.1 alone, no Unix socket. Under root it runs as the
 * user that the system keeps for it, since PostgreSQL refuses to run as root.
 */
export async function startPostgres(programs: PostgresProgram[], place: ServicePlace): Promise<PrivateService> {
  const { folder, durable, path } = place
  await mkdir(folder, { recursive: true, mode: 0o755 })
  const user = await postgresUser(path)
  const data = join(await reachableHome(folder, user, path), 'data')
  const password = await keptSecret(join(folder, 'password'))
  const program = await programFor(programs, data)
  if (!(await exists(join(data, 'PG_VERSION')))) await initialise(program, data, password, user, place)

  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=300']
  if (!durable) settings.push('fsync=off', 'synchronous_commit=off', 'full_page_writes=off')
  const spec: DaemonSpec = {
    name: 'PostgreSQL',
    command: join(program.bin, 'postgres'),
    onPort: (port) => ({
      args: ['-D', data, ...[`port=${port}`, ...settings].flatMap((setting) => ['-c', setting])],
      env: { PATH: path, LC_ALL: 'C' }
    }),
    cwd: '/',
    user,
    logFile: place.logFile,
    pidFile: join(folder, 'pid.json'),
    portFile: join(folder, 'port'),
    fingerprint: `${data} ${settings.join(' ')}`,
    stopSignal: 'SIGINT', // "fast": open transactions are rolled back and a checkpoint is written
    stopTimeoutMs: 30_000
  }
  const daemon = await startDaemon(spec)
  const urlOf = (name: string) => `postgres://${role}:${password}@127.0.0.1:${daemon.port}/${name}`
  await untilReady(spec, daemon, () => answers(urlOf('postgres')), 60_000)
  await withPostgres(urlOf('postgres'), async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [database])
    if (!rowCount) await client.query(`create database ${database}`)
  })
  return { ...daemon, url: urlOf(database) }
}

async function answers(url: string): Promise<boolean> {
  return withPostgres(url, () => Promise.resolve(true)).catch(() => false)
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false
  )
}

async function initialise(
  program: PostgresProgram,
  data: string,
  password: string,
  user: User | undefined,
  { durable, logFile, path }: ServicePlace
): Promise<void> {
  await rm(data, { recursive: true, force: true }) // what an interrupted initdb may have left
  await mkdir(data, { recursive: true, mode: 0o700 })
  const passwordFile = `${data}.password`
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (user) for (const file of [data, passwordFile]) await chown(file, user.uid, user.gid)
  const locale = process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8'
  const args = ['-D', data, '-U', role, '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--encoding=UTF8']
  if (!durable) args.push('--no-sync')
  try {
    const env = { PATH: path, LC_ALL: 'C' }
    await runOrFail(join(program.bin, 'initdb'), [...args, `--locale=${locale}`], { logFile, user, env, cwd: '/' })
  } finally {
    await rm(passwordFile, { force: true })
  }
}

/** The user to run as: none unless this is root, then the one named `postgres`, which comes with the package. */
async function postgresUser(path: string): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const { output } = await runCommand('getent', ['passwd', 'postgres'], { env: { PATH: path } })
  const [, , uid, gid, , home] = output.trim().split(':')
  if (!uid || !gid || !home) throw startError('PostgreSQL does not run as root, and there is no user `postgres` here')
  return { uid: Number(uid), gid: Number(gid), home }
}

/**
 * The folder itself when the user can get there. Below a closed home such as /root it cannot: then a folder of the
 * user's own home, named after the place it stands for; once that place was deleted, so is what it stood for.
 */
async function reachableHome(folder: string, user: User | undefined, path: string): Promise<string> {
  if (!user) return folder
  const { code } = await runCommand('test', ['-x', folder], { user, env: { PATH: path }, cwd: '/' })
  if (code === 0) return folder
  const home = join(user.home, `goals-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`)
  const note = join(folder, 'where-the-data-is.txt')
  if (!(await exists(note))) await rm(home, { recursive: true, force: true })
  await mkdir(home, { recursive: true, mode: 0o755 })
  await writeFile(note, `${home}\n`)
  return home
}

/** A data folder belongs to the major version that made it. */
async function programFor(programs: PostgresProgram[], data: string): Promise<PostgresProgram> {
  const major = Number((await readFile(join(data, 'PG_VERSION'), 'utf8').catch(() => '')).trim())
  const program = programs.find((each) => !major || each.major === major)
  if (!program) throw startError(`${data} was made by PostgreSQL ${major}, which is not installed here any more`)
  return program
}
