import { parseArgs } from 'node:util'
import { loadConfig } from '../lib/config.ts'
import { startServices } from './services/index.ts'
import { startError } from './services/start-error.ts'
import { createClosers } from './start/closers.ts'
import { lockFolder } from './start/folder-lock.ts'
import { createProgress } from './start/progress.ts'
import { explain } from './start/report.ts'
import { untilSignal } from './start/until-signal.ts'

/** `npm run services:up`: the private services alone, in the foreground, for `npm run api` and `npm run workers`. */

const usage = `npm run services:up

Starts PostgreSQL, Redis and RabbitMQ under DATA_DIR (.data), those of them for which DATABASE_URL, REDIS_URL or
RABBITMQ_URL names no other, and prints the variables that \`npm run api\` and \`npm run workers\` need. Ctrl-C stops them.
`

function wantsHelp(): boolean {
  try {
    return parseArgs({ options: { help: { type: 'boolean', short: 'h', default: false } } }).values.help
  } catch (error) {
    throw startError(`${(error as Error).message}\n\n${usage}`, error)
  }
}

async function main(): Promise<void> {
  if (wantsHelp()) {
    console.log(usage)
    return
  }
  const env = process.env
  const { dataDir, databaseUrl, redisUrl, rabbitmqUrl } = loadConfig(env)
  const { step, print } = createProgress(process.stdout)
  const closers = createClosers()
  const kills: (() => void)[] = []
  const signalled = untilSignal(() => {
    for (const kill of kills) kill()
    process.exit(130)
  })
  try {
    closers.add(await lockFolder(dataDir))
    const wanted = { databaseUrl, redisUrl, rabbitmqUrl }
    const services = await startServices({
      dataDir,
      wanted,
      durable: true,
      step,
      env,
      onKill: (kill) => void kills.push(kill)
    })
    closers.add(() => step('stop services', services.stop))
    print(`
export DATABASE_URL='${services.databaseUrl}'
export REDIS_URL='${services.redisUrl}'
export RABBITMQ_URL='${services.rabbitmqUrl}'

Ctrl-C stops them.`)
    await signalled
  } finally {
    await closers.closeAll()
  }
}

try {
  await main()
  process.exit(0)
} catch (error) {
  console.error(`\n${explain(error)}`)
  process.exit(1)
}
