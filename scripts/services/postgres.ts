import { access, chown, constants, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type DaemonSpec, startDaemon, untilReady } from './daemon.ts'
import { rememberedPort } from './free-port.ts'
import { type PostgresProgram } from './programs.ts'
import { runCommand, runOrFail } from './run-command.ts'
import { keptSecret } from './secret-file.ts'
import { startError } from './start-error.ts'
import type { PrivateService, ServicePlace } from './private-service.ts'

const role = 'goals'
const database = 'goals'

/**
 * A private PostgreSQL under `<folder>`: password login on 127.0.0.1 alone, no Unix socket. Under root it runs as
 * the user that the system keeps for it, as PostgreSQL refuses to run as root.
 */
export async function startPostgres(programs: PostgresProgram[], place: ServicePlace): Promise<PrivateService> {
  const { folder, durable, logFile, path } = place
  await mkdir(folder, { recursive: true, mode: 0o755 })
  const user = await postgresUser()
  const home = user ? await reachableHome(folder, user, path) : folder
  const data = join(home, 'data')
  const password = await keptSecret(join(folder, 'password'))
  const program = await programFor(programs, data)

  if (!(await exists(join(data, 'PG_VERSION')))) await initialise({ program, home, data, password, user, place })

  const port = await rememberedPort(join(folder, 'port'))
  const speed = durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=300']
  const spec = specOf({ program, data, home, user, place, logFile, settings: [...settings, ...speed] })
  return finish({ spec, folder, password, port })
}

type Start = {
  program: PostgresProgram
  home: string
  data: string
  user: { uid: number; gid: number } | undefined
  place: ServicePlace
}

function specOf({
  program,
  data,
  home,
  user,
  place,
  settings
}: Start & { logFile: string; settings: string[] }): DaemonSpec {
  return {
    name: 'PostgreSQL',
    command: join(program.bin, 'postgres'),
    args: ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    env: { PATH: place.path, LC_ALL: 'C.UTF-8', HOME: home },
    cwd: home,
    user,
    logFile: place.logFile,
    pidFile: join(place.folder, 'pid.json'),
    fingerprint: settings.filter((setting) => !setting.startsWith('port=')).join(' '),
    stopSignal: 'SIGINT', // "fast": open transactions are rolled back, then a checkpoint is written
    stopTimeoutMs: 30_000
  }
}
