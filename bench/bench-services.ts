import { fileURLToPath } from 'node:url'
import { startServices } from '../scripts/services/index.ts'

/**
 * Sees to it that TEST_DATABASE_URL, TEST_REDIS_URL and TEST_RABBITMQ_URL are set, by private services where they are
 * not. @returns what stops these
 */
export async function openBenchServices(): Promise<() => Promise<void>> {
  const { TEST_DATABASE_URL, TEST_REDIS_URL, TEST_RABBITMQ_URL } = process.env
  const services = await startServices({
    dataDir: fileURLToPath(new URL('../.data/bench', import.meta.url)),
    wanted: { databaseUrl: TEST_DATABASE_URL, redisUrl: TEST_REDIS_URL, rabbitmqUrl: TEST_RABBITMQ_URL },
    durable: false,
    step: async (_title, work) => await work(() => {}),
    env: process.env
  })
  process.env.TEST_DATABASE_URL = services.databaseUrl
  process.env.TEST_REDIS_URL = services.redisUrl
  process.env.TEST_RABBITMQ_URL = services.rabbitmqUrl
  return services.stop
}
