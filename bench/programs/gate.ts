import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { createGate } from '../../lib/gate/gate.ts'
import { createGateKeys } from '../../lib/gate/keys.ts'
import { defaultLimits } from '../../lib/gate/limits.ts'
import { gateRedisOptions } from '../../lib/gate/redis-options.ts'
import { createLogger } from '../../lib/logger.ts'
import { serveCalls } from './serve-calls.ts'

/** The gate, as an API process has it: each call takes a token of two buckets and writes its decision down. */

const prefix = 'bench-gate'
const plenty = { limitPerMinute: 1_000_000, burst: 100 }
const redis = new Redis(process.env.REDIS_URL as string, gateRedisOptions)
await once(redis, 'ready')
const gate = createGate({
  redis,
  prefix,
  limits: { ...defaultLimits, api_call: plenty, embedding_generation: plenty },
  processId: randomUUID(),
  log: createLogger({ level: 'silent', name: 'gate' }),
  timeoutMs: 5_000 // whoever decides alone has not asked Redis
})
await gate.start()

const users = Array.from({ length: 64 }, () => randomUUID())
const keys = createGateKeys(prefix)
const streams = keys.shards.map((shard) => keys.decisions(shard))

serveCalls(
  async (caller) => {
    const id = users[caller % users.length] as string
    const decision = await gate.take({
      subject: { kind: 'user', id },
      buckets: ['embedding_generation', 'api_call'],
      request: {
        userId: id,
        action: 'embedding_generation',
        method: 'POST',
        path: '/api/v1/embeddings',
        ip: '127.0.0.1',
        userAgent: 'bench'
      }
    })
    if (decision.outcome !== 'allowed') throw new Error(`the gate said ${decision.outcome}`)
  },
  async (calls) => {
    const lengths = await Promise.all(streams.map((stream) => redis.xlen(stream)))
    const written = lengths.reduce((sum, length) => sum + length, 0)
    if (calls < 90_000 && written !== calls) throw new Error(`of ${calls} decisions ${written} are written`)
    await redis.del(streams)
  }
)
