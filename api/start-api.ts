import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { Redis } from 'ioredis'
import type { Context } from '../lib/context.ts'
import { createEventFeed } from '../lib/events/feed.ts'
import { createJobWaiter } from '../lib/events/job-waiter.ts'
import { createGate } from '../lib/gate/gate.ts'
import { defaultLimits, mergeLimits } from '../lib/gate/limits.ts'
import { gateRedisOptions } from '../lib/gate/redis-options.ts'
import { createEventStore } from '../lib/store/events.ts'
import { createApp } from './app.ts'
import { createAwaitJob } from './await-job.ts'
import { createHealth } from './health/health.ts'
import { createProbes } from './health/probes.ts'
import { createApiServer } from './http-server.ts'
import { jobEndpoints } from './routes/jobs.ts'

/** How long a worker may be silent before it counts as gone. */
const workerAliveMs = 5_000

export type Api = {
  /** not listening yet */
  server: Server
  /** Ends what stays open by itself: sockets. */
  goAway(): Promise<void>
  /** To be called when the server has drained. */
  close(): Promise<void>
}

/** Everything an API process runs, over a context. Any number of processes may run it. */
export async function startApi({ context, version }: { context: Context; version: string }): Promise<Api> {
  const { config, log, prefix, knex, redis, subscriber, openRedis, jobs, jobStore, queues, auth } = context
  const gateRedis = openRedis('commands', 'gate', gateRedisOptions)
  const gate = createGate({
    redis: gateRedis,
    prefix,
    limits: mergeLimits(defaultLimits, config.rateLimits),
    processId: randomUUID(),
    log
  })
  const eventStore = createEventStore({ knex })
  const feed = createEventFeed({ subscriber, events: eventStore, prefix, log })
  const waiter = createJobWaiter({ feed, endedAmong: (ids) => jobStore.endedAmong(ids), log })
  const awaitJob = createAwaitJob({ waiter })
  const { probes, close: closeProbes } = createProbes({
    knex,
    redis,
    queues: queues.all(),
    liveWorkers: () => jobStore.liveWorkers(workerAliveMs),
    rabbitmqUrl: config.rabbitmqUrl ?? 'off'
  })
  const app = createApp({
    config,
    log,
    version,
    auth,
    gate,
    health: createHealth({ probes, vital: 'postgres' }),
    queues: queues.all(),
    endpoints: [...jobEndpoints({ jobs, awaitJob })]
  })
  await connected(gateRedis)
  await gate.start()
  feed.start()
  return {
    server: createApiServer(app),
    async goAway() {},
    async close() {
      await feed.stop()
      await gate.close()
      await closeProbes()
    }
  }
}

/** Lets the gate's client connect before the first question; a Redis that is away does not keep the API from starting. */
async function connected(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return
  await once(redis, 'ready', { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
}
