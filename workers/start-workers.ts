import { actionOf } from '../lib/actions/actions.ts'
import type { Context } from '../lib/context.ts'
import { createWorkReports } from '../lib/background/work-reports.ts'
import { createDeadLetterRetry } from '../lib/dead-letters/retry.ts'
import { createPublisher } from '../lib/events/publisher.ts'
import { createRelay } from '../lib/events/relay.ts'
import { createDecisionReader } from '../lib/gate/decision-reader.ts'
import { readerRedisOptions } from '../lib/gate/redis-options.ts'
import { createReconciler } from '../lib/jobs/reconciler.ts'
import { openModels } from '../lib/models/open-models.ts'
import { createProviderGuard } from '../lib/models/provider-guard.ts'
import { createBackgroundWorkStore } from '../lib/store/operations/background-work.ts'
import { createCheckpointStore } from '../lib/store/jobs/checkpoints.ts'
import { createUsageTracker } from '../lib/usage/tracker.ts'
import { startAdminWorkers } from './admin-workers.ts'
import { createHandlers } from './handlers.ts'
import { createRetries } from './dead-letters.ts'
import { createHeartbeat } from './heartbeat.ts'
import { watchOrphanedRuns } from './orphaned-runs.ts'
import { createPools } from './pools.ts'
import { repeat } from '../lib/time/repeat.ts'
import { createRunJob } from './run-job.ts'
import { createRunningJobs } from './running-jobs.ts'
import { createRunWatch } from './watch-runs.ts'
import { createWebhookPool } from './webhooks.ts'

export type Workers = {
  /** Takes no further jobs, lets those that run finish within the drain time, gives the rest back, and stops. */
  stop(): Promise<void>
}

/**
 * Everything a worker process runs: the pools, and beside them the relay, the reconciler and the audit writer, of which
 * any number may run.
 */
export async function startWorkers({ context, name }: { context: Context; name: string }): Promise<Workers> {
  const { config, log, prefix, knex, redis, subscriber, ledger, budgets, admin } = context
  const { jobStore, workerStore, queues, progress, lifecycle, openRedis, webhookRoom, deadLetters, deadLetterStore } =
    context
  const tracker = createUsageTracker()
  const guard = createProviderGuard({ redis, prefix, limits: config.providerLimits, log })
  const models = await openModels({ config, tracker, ledger, budgets, guard, redis, prefix, log })
  const running = createRunningJobs()
  const handlers = createHandlers({ context, models })
  const runJob = createRunJob({ lifecycle, store: jobStore, progress, tracker, running, handlers, worker: name, log })

  const heartbeat = createHeartbeat({
    store: workerStore,
    worker: name,
    queues: config.workerQueues,
    database: { databaseUrl: config.databaseUrl, schema: config.databaseSchema },
    log
  })
  await heartbeat.start()
  const reports = createWorkReports({ store: createBackgroundWorkStore({ knex }), worker: name, log })
  const report = reports.of
  reports.start()
  const watch = createRunWatch({ store: jobStore, running, subscriber, prefix, log })
  watch.start()
  const orphanedRuns = watchOrphanedRuns({ store: jobStore, running, lifecycle, worker: name, report, log })
  const publisher =
    config.rabbitmqUrl && config.rabbitmqUrl !== 'off'
      ? await createPublisher({ url: config.rabbitmqUrl, exchange: config.eventsExchange, log })
      : undefined
  const relay = createRelay({
    knex,
    redis,
    subscriber,
    publisher,
    prefix,
    holder: name,
    retentionDays: config.eventRetentionDays,
    sinks: [webhookRoom.sink],
    deadLetters,
    report,
    log
  })
  relay.start()
  const webhookPool = createWebhookPool({
    ...webhookRoom,
    subscriber,
    prefix,
    deadLetters,
    owners: context.owners,
    report,
    log
  })
  webhookPool.start()
  const decisionReader = createDecisionReader({
    redis: openRedis('commands', 'audits', readerRedisOptions),
    prefix,
    onBatch: admin.recordDecisions,
    setAside: (letter) => deadLetters.setAside({ kind: 'audits', ...letter }),
    report: report('audits'),
    log
  })
  decisionReader.start()
  const adminWorkers = startAdminWorkers({ admin, report, log })
  const reconciler = createReconciler({
    store: jobStore,
    queues,
    ledger,
    checkpoints: createCheckpointStore({ knex, schema: config.databaseSchema }),
    deadLetters,
    report,
    everyMs: config.reconcileMs,
    log
  })
  reconciler.start()
  const retryDeadLetters = createDeadLetterRetry({
    store: deadLetterStore,
    handlers: { ...relay.retries, ...createRetries({ admin }) },
    log
  })
  const deadLetterRetry = repeat({
    name: 'dead_letters',
    everyMs: 1_000,
    async work(signal) {
      while (!signal.aborted && (await retryDeadLetters()) > 0);
    },
    report,
    log
  })
  const placesOf = new Map(
    config.workerQueues.map((action) => [action, config.workerConcurrency[action] ?? actionOf(action).concurrency])
  )
  const pools = createPools({
    placesOf,
    redisOf: (action) => openRedis('blocking', action),
    redisPrefix: prefix,
    queues,
    store: jobStore,
    owners: context.owners,
    runJob,
    report,
    log
  })

  return {
    async stop() {
      const webhooksStopped = webhookPool.stop()
      await pools.pause()
      const timer = setTimeout(() => {
        log.warn({ jobs: running.size() }, 'drain time is over, giving jobs back')
        running.abortAll('shutdown')
      }, config.drainMs)
      await pools.close()
      clearTimeout(timer)
      await reconciler.stop()
      watch.stop()
      await orphanedRuns.stop()
      await decisionReader.stop()
      await adminWorkers.stop()
      await webhooksStopped
      await deadLetterRetry.stop()
      await relay.stop()
      await publisher?.close()
      await reports.stop()
      await heartbeat.stop()
    }
  }
}
