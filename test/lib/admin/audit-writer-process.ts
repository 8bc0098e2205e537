import { Redis } from 'ioredis'
import { openContext } from '../../../lib/context.ts'
import { createDecisionReader } from '../../../lib/gate/decision-reader.ts'
import { gateRedisOptions } from '../../../lib/gate/redis-options.ts'
import { createLogger } from '../../../lib/logger.ts'
import { testConfig } from '../../helpers/context.ts'

/** A writer of audits on the services named by its argument, to be killed: says a word before each batch. */
const isolation = JSON.parse(process.argv[2] as string) as Parameters<typeof testConfig>[0]
const log = createLogger({ level: 'silent', name: 'audit-writer' })
const { context } = openContext({ config: testConfig(isolation), name: 'audit-writer', log })
const { recordDecisions } = context.admin
createDecisionReader({
  redis: new Redis(isolation.redisUrl, gateRedisOptions),
  prefix: isolation.prefix,
  setAside: async () => {},
  idleMs: 5,
  batchSize: 64,
  claimAfterMs: 300,
  log,
  async onBatch(decisions) {
    process.stdout.write('.')
    await recordDecisions(decisions)
  }
}).start()
process.stdout.write('ready')
