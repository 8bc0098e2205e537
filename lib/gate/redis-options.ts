import type { RedisOptions } from 'ioredis'

/**
 * Options of the gate's own Redis client (ioredis 6); with a Cluster they go into `redisOptions`.
 * A command that cannot be sent now fails now, one whose connection is lost fails and is never sent again (a take that
 * was sent twice would cost twice), and a connection that has been silent for 3.5 s with an answer due is replaced.
 * A server that has become a replica is left for the one that took over, where the address leads to it.
 * There is no `commandTimeout`: the gate gives up on its own, and a late answer tells it what was taken after all.
 */
export const gateRedisOptions = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectTimeout: 1_000,
  socketTimeout: 3_500,
  retryStrategy: () => 200,
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY')
} satisfies RedisOptions

/** Options of the reader's client: nobody waits for it, so its first command may wait for the connection. */
export const readerRedisOptions = { ...gateRedisOptions, enableOfflineQueue: true } satisfies RedisOptions
