import { loadConfig } from '../lib/config.ts'
import { startServices } from './services/index.ts'
import { createClosers } from './start/closers.ts'
import { lockFolder } from './start/folder-lock.ts'
import { createProgress } from './start/progress.ts'
import { explain } from './start/report.ts'
import { untilSignal } from './start/until-signal.ts'

/** `npm run services:up`: the private services alone, in the foreground, for `npm run api` and `npm run workers`. */
async function main(): Promise<void> {
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
