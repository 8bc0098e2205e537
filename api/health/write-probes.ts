import { type Redis, ReplyError } from 'ioredis'
import type { HealthCheckStore } from '../../lib/store/operations/health-checks.ts'
import type { Probe, ProbeResult } from './health.ts'

/** What is the matter with a database that answers and takes no writes, by SQLSTATE. */
const problems: Record<string, string> = { '25006': 'read_only', '53100': 'disk_full' }

/** Writes and commits. `degraded` when that is refused while reading works: records can be read, nothing can change. */
export function databaseProbe({ write, read }: HealthCheckStore): Probe {
  return once(async (): Promise<ProbeResult> => {
    try {
      // A second time, because the first connection may have been lost long ago.
      await write().catch(async () => {
        await read()
        await write()
      })
      return { state: 'ok' }
    } catch (error) {
      await read()
      const { code } = error as { code?: unknown }
      return { state: 'degraded', problem: problems[String(code)] ?? 'refuses_writes' }
    }
  })
}

/** Sets a key that goes away by itself. `degraded` when that is refused while reading works. */
export function redisProbe({ redis, prefix }: { redis: Pick<Redis, 'set' | 'get'>; prefix: string }): Probe {
  const key = `${prefix}:health`
  return once(async (): Promise<ProbeResult> => {
    try {
      await redis.set(key, '1', 'EX', 60)
      return { state: 'ok' }
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error
      await redis.get(key)
      // MISCONF, NOREPLICAS, OOM, READONLY: the first word of the reply
      const [word = ''] = (error as Error).message.split(' ')
      return { state: 'degraded', problem: 'refuses_writes', reply: /^[A-Z]{2,20}$/.test(word) ? word : 'ERR' }
    }
  })
}

/** One question at a time: a service that hangs is not asked again before it has answered. */
function once(ask: Probe): Probe {
  let asking: Promise<ProbeResult> | undefined
  return () => {
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }
}
