import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { Redis } from 'ioredis'
import type { Context } from '../lib/context.ts'
import { createGate } from '../lib/gate/gate.ts'
import { gateRedisOptions } from '../lib/gate/redis-options.ts'
import { type ModelState, readModelState } from '../lib/models/provider-guard.ts'
import { createBackgroundWorkStore } from '../lib/store/operations/background-work.ts'
import { createRelayStore } from '../lib/store/events/relay.ts'
import { createApp } from './app.ts'
import { createAwaitJob } from './await-job.ts'
import { contextEndpoints, contextSubmit } from './endpoints.ts'
import { createHealth } from './health/health.ts'
import { createProbes, restsOn } from './health/probes.ts'
import { createBodyReader } from './intake/body-reader.ts'
import { createDrain, type Drain } from './drain.ts'
import { createApiServer } from './http-server.ts'
import { clientAddress, isTrustedProxy } from './middleware/client-address.ts'
import { createLiveUpdates } from './live-updates.ts'
import { openAiEndpoints } from './openai/openai.ts'
import { socketLimits } from './sockets/limits.ts'

export type Api = {
  /** not listening yet */
  server: Server
  drain: Drain
  /** Ends what stays open by itself: sockets and streams. */
  goAway(): Promise<void>
  /** To be called when the server has drained. */
  close(): Promise<void>
}

/** Everything an API process runs, over a context. Any number of processes may run it. */
export async function startApi({
  context,
  version,
  gateTimeoutMs
}: {
  context: Context
  version: string
  /** how long the gate waits for Redis before it decides alone, when not the usual 35 ms */
  gateTimeoutMs?: number
}): Promise<Api> {
  const { config, log, prefix, knex, redis, subscriber, openRedis, admin } = context
  const { jobs, jobStore, workerStore, queues, deadLetterStore, auth, records } = context

  await admin.overrides.start()
  const gateRedis = openRedis('commands', 'gate', gateRedisOptions)
  const gate = createGate({
    redis: gateRedis,
    prefix,
    limits: admin.limits,
    overrides: admin.overrides,
    processId: randomUUID(),
    recordDirectly: admin.recordDecisions,
    ...(gateTimeoutMs === undefined ? {} : { timeoutMs: gateTimeoutMs }),
    log
  })
  const news = createLiveUpdates({
    knex,
    redis,
    subscriber,
    prefix,
    auth,
    gate,
    jobs,
    endedAmong: jobStore.endedAmong,
    canSubscribe: (actor, channel) => context.owners.run(actor.id, () => records.access.canSubscribe(actor, channel)),
    limits: { ...socketLimits, connectionsOfAddress: config.connectionsPerAddress },
    log
  })
  const work = {
    relayLag: createRelayStore({ knex }).lag,
    failingWork: createBackgroundWorkStore({ knex }).failing,
    countDeadLetters: deadLetterStore.count
  }
  const { probes, close: closeProbes } = createProbes({
    knex,
    redis,
    prefix,
    queues: queues.all(),
    liveWorkers: () => workerStore.liveWorkers(),
    rabbitmqUrl: config.rabbitmqUrl ?? 'off',
    ...work,
    modelStates: async () => {
      const models = [config.chatModel, config.embeddingModel]
      const states = await Promise.all(models.map((model) => readModelState(redis, prefix, model)))
      return Object.fromEntries(models.map((model, index) => [model, states[index] as ModelState]))
    }
  })
  const awaitJob = createAwaitJob(news)
  const submit = contextSubmit(context)
  const bodies = createBodyReader()
  const app = createApp({
    config,
    log,
    version,
    auth,
    gate,
    bodies,
    owners: context.owners,
    watch: news.watch,
    health: createHealth({ probes, vital: 'postgres', restsOn }),
    queues: queues.all(),
    ...work,
    endpoints: [...contextEndpoints({ context, gate, awaitJob, submit }), ...news.endpoints],
    openAi: openAiEndpoints({ context, submit, ...news })
  })
  const server = createApiServer(app, { keepAliveMs: config.keepAliveMs, isProxy: isTrustedProxy(app) })
  const drain = createDrain(server)
  await connected(gateRedis)
  await gate.start()
  news.start()
  news.serveSockets(server, clientAddress(app))
  return {
    server,
    drain,
    goAway: news.goAway,
    async close() {
      await news.stop()
      await bodies.close()
      await gate.close()
      await admin.overrides.stop()
      await closeProbes()
    }
  }
}

/** Lets the gate's client connect before the first question; a Redis that is away does not keep the API from starting. */
async function connected(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return
  await once(redis, 'ready', { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
}
