import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServices } from '../../scripts/services/index.ts'
import { serviceUrls } from './services.ts'

/**
 * Services of one test's own, for what nobody may do to those that all tests share; the others stay shared.
 * @returns their addresses and, below `dataDir`, a folder for each
 */
export async function startPrivate(
  t: { teardown: (end: () => Promise<void>) => void },
  ...names: ('redis' | 'rabbitmq')[]
) {
  const dataDir = await mkdtemp(join(tmpdir(), 'goals-own-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const { databaseUrl, redisUrl, rabbitmqUrl } = serviceUrls()
  const { stop, ...started } = await startServices({
    dataDir,
    wanted: {
      databaseUrl,
      ...(names.includes('redis') ? {} : { redisUrl }),
      ...(names.includes('rabbitmq') ? {} : { rabbitmqUrl })
    },
    durable: false,
    step: (_title, work) => work(() => undefined),
    env: process.env
  })
  t.teardown(stop)
  return { ...started, dataDir }
}
