import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { configHelp, loadConfig } from '../lib/config.ts'
import { startError } from './services/start-error.ts'
import { createClosers } from './start/closers.ts'
import { lockFolder } from './start/folder-lock.ts'
import { createProgress } from './start/progress.ts'
import { explain } from './start/report.ts'
import { untilSignal } from './start/until-signal.ts'
import { loadEnvFile } from './load-env-file.ts'

/** `npm start`: services, migrations, API and workers under one launcher. */

const usage = `npm start [-- --verbose] [-- --help]

Starts the services that are not configured, migrates, and runs the API and the workers. npm restart, or SIGUSR2, replaces
API and workers by new processes of the code that is there now, while it serves.

  --verbose  shows the output of API and workers here instead of writing it to DATA_DIR/logs
  --help     shows this

Variables (default), also read from a file .env in this folder:
`

function fail(error: unknown): never {
  console.error(`\n${explain(error)}`)
  process.exit(1)
}

function readFlags(): { verbose?: boolean; help?: boolean } {
  try {
    return parseArgs({ options: { verbose: { type: 'boolean' }, help: { type: 'boolean' } } }).values
  } catch (error) {
    throw startError(`${(error as Error).message}\n\n${usage.trim().split('\n\nVariables')[0]}`, error)
  }
}

async function main(): Promise<void> {
  const values = readFlags()
  if (values.help) {
    console.log(`${usage}${configHelp()}`)
    return
  }
  loadEnvFile()
  const env = process.env
  const config = loadConfig(env)
  const startedAt = performance.now()
  const progress = createProgress(process.stdout)
  const closers = createClosers()
  const stop = new AbortController()
  const kills: (() => void)[] = []
  process.stdout.on('error', () => undefined) // a closed terminal must not keep us from stopping in order
  const killAll = () => {
    for (const kill of kills) kill()
    process.exit(130)
  }
  const signalled = untilSignal(killAll).then(() => stop.abort())
  const launched = Promise.withResolvers<() => Promise<void>>()
  process.on('SIGUSR2', () => void launched.promise.then((restart) => restart()))

  let failure: unknown
  try {
    closers.add(await lockFolder(config.dataDir))
    enableCompileCache(join(config.dataDir, 'cache'))
    const fileOf = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url))
    // Loaded while the services start or later: what they import takes a second.
    const parts = {
      api: fileOf('api/server.ts'),
      workers: fileOf('workers/main.ts'),
      migrateFile: fileOf('scripts/migrate.ts'),
      jwtSecret: async (c: typeof config) => (await import('../lib/auth/jwt-secret.ts')).jwtSecret(c),
      migrate: async (c: typeof config) => (await import('../lib/store/knex.ts')).migrateLatest(c),
      prepareAdmin: async (c: typeof config, keptKey?: string) =>
        (await import('../lib/auth/administrator.ts')).prepareAdmin(c, keptKey)
    }
    const { launch } = await import('./start/launcher.ts')
    const verbose = values.verbose === true
    const restart = await launch({ config, env, verbose, progress, closers, signal: stop.signal, parts }, (kill) =>
      kills.push(kill)
    )
    progress.print(`Ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`)
    launched.resolve(restart)
    await signalled
  } catch (error) {
    if (!stop.signal.aborted) failure = error
  }
  await closers.closeAll()
  if (failure !== undefined) fail(failure)
  process.exit(0)
}

await main().catch(fail)
