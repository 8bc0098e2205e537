import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { loadConfig } from '../lib/config.ts'
import { isAlive, readLiving } from './services/process-identity.ts'
import { startError } from './services/start-error.ts'
import { explain } from './start/report.ts'
import type { RestartNote } from './start/rolling-restart.ts'
import { loadEnvFile } from './load-env-file.ts'

/** `npm restart`: a rolling restart of what `npm start` runs. */

const usage = `npm restart [-- --help]

Replaces the processes of a running npm start by new ones of the code that is there now: migrates the database, then
starts new workers and a new API beside the old ones and ends these in order. Requests are served all the while; sockets
and streams are told to come back. The launcher, its services and its variables stay as they are.

DATA_DIR (.data) says which npm start is meant.
`

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } })
  if (values.help) {
    console.log(usage)
    return 0
  }
  loadEnvFile()
  const { dataDir } = loadConfig(process.env)
  const launcher = await readLiving(join(dataDir, 'launcher.json'))
  if (!launcher) throw startError(`Nothing runs with DATA_DIR ${dataDir}. Start it: npm start`)

  const notes = join(dataDir, 'restart.jsonl')
  const read = async () => (await readFile(notes, 'utf8').catch(() => '')).split('\n').slice(0, -1)
  // Those of an earlier restart; one that is under way is shared, and told from its beginning.
  const earlier = await read()
  const told = new Set(isOver(earlier) ? earlier : [])
  process.kill(launcher.pid, 'SIGUSR2')
  for (;;) {
    for (const line of await read()) {
      if (told.has(line)) continue
      told.add(line)
      const { text, ok } = JSON.parse(line) as RestartNote
      console.log(text)
      if (ok !== undefined) return ok ? 0 : 1
    }
    if (!(await isAlive(launcher))) throw startError('npm start has ended meanwhile.')
    await sleep(100)
  }
}

const isOver = (lines: string[]) => /"ok":(true|false)\}$/.test(lines.at(-1) ?? '')

try {
  process.exitCode = await main()
} catch (error) {
  console.error(explain(error))
  process.exitCode = 1
}
