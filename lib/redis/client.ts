import { Redis, type RedisOptions } from 'ioredis'
import type { Logger } from '../logger.ts'

/**
 * A Redis client that reconnects for ever and never lets a command wait for ever:
 * commands fail after `commandTimeout`, and those given while disconnected fail at once.
 * @param kind `commands` for requests; `blocking` for BullMQ's own connections, which wait by design; `subscriber` for pub/sub
 */
export function createRedis(
  url: string,
  {
    kind,
    name,
    log,
    options = {}
  }: {
    kind: 'commands' | 'blocking' | 'subscriber'
    name: string
    log: Logger
    /** what a special use wants otherwise */
    options?: Pick<
      RedisOptions,
      | 'enableOfflineQueue'
      | 'maxRetriesPerRequest'
      | 'autoResendUnfulfilledCommands'
      | 'connectTimeout'
      | 'socketTimeout'
      | 'retryStrategy'
      | 'commandTimeout'
    >
  }
): Redis {
  const common = {
    connectionName: name,
    connectTimeout: 5_000,
    keepAlive: 10_000,
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000)
  }
  const redis =
    kind === 'commands'
      ? new Redis(url, {
          ...common,
          commandTimeout: 2_000,
          maxRetriesPerRequest: 1,
          enableOfflineQueue: true,
          ...options
        })
      : new Redis(url, { ...common, maxRetriesPerRequest: null, ...options })
  // Without a listener ioredis prints each failure; state changes are logged once.
  let reachable = true
  redis.on('error', (error: Error & { code?: string }) => {
    if (reachable) log.warn({ client: name, code: error.code ?? error.name }, 'redis connection failed')
    reachable = false
  })
  redis.on('ready', () => {
    if (!reachable) log.info({ client: name }, 'redis connection restored')
    reachable = true
  })
  return redis
}
