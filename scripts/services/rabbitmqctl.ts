import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { findRabbitmq } from './programs.ts'
import { runCommand } from './run-command.ts'
import { startError } from './start-error.ts'

/**
 * Gives a command to the private node that lives in `folder` (see `rabbitmq.ts`), as an operator would.
 * @throws StartError with what the program printed when the command failed
 */
export async function rabbitmqctl(folder: string, path: string, args: string[]): Promise<void> {
  const server = await findRabbitmq(path)
  const port = await readFile(join(folder, 'epmd.port'), 'utf8').catch(() => '')
  const { code, output } = await runCommand(join(dirname(server ?? ''), 'rabbitmqctl'), ['-n', nodeName, ...args], {
    env: {
      PATH: path,
      HOME: folder, // where the node keeps its cookie
      LC_ALL: 'C.UTF-8',
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
      ...(port ? { ERL_EPMD_PORT: port.trim() } : {})
    },
    timeoutMs: 60_000
  })
  if (code !== 0) throw startError(`rabbitmqctl ${args.join(' ')} failed:\n${output}`)
}

/** Of every private node: each has a name server of its own. */
export const nodeName = 'goals@localhost'
