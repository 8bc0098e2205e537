import { createRunJob, type Handlers } from '../../workers/run-job.ts'
import { createPools } from '../../workers/pools.ts'
import { createRunningJobs } from '../../workers/running-jobs.ts'
import { createHeartbeat } from '../../workers/heartbeat.ts'
import { watchOrphanedRuns } from '../../workers/orphaned-runs.ts'
import { createRunWatch } from '../../workers/watch-runs.ts'
import { newId } from '../../lib/ids.ts'
import { createUsageTracker } from '../../lib/usage/tracker.ts'
import { type AiAction, forEachAction } from '../../lib/actions/actions.ts'
import { createOwnerScope } from '../../lib/sharing/owner-scope.ts'
import type { Processor } from '../../workers/processor.ts'
import type { TestContext } from './context.ts'

/** Handlers that take any input and run these processors; an action without one fails its jobs. */
export function handlersOf(processors: Partial<Record<AiAction, Processor>>): Handlers {
  return forEachAction(({ name }) => ({
    parse: (input: unknown) => ({ ok: true as const, input }),
    process:
      processors[name] ??
      (async () => {
        throw new Error(`no processor for ${name}`)
      })
  }))
}

/** One worker "process" inside the test's own: pools, heartbeat and watch, without an entry file. */
export async function startTestWorker(
  context: TestContext,
  processors: Partial<Record<AiAction, Processor>>,
  { tracker = createUsageTracker(), places = 8 } = {}
) {
  const { config, lifecycle, queues, jobStore, workerStore, progress, log, prefix, openRedis } = context
  const worker = `test-${newId()}`
  const running = createRunningJobs()
  const actions = Object.keys(processors) as AiAction[]
  const runJob = createRunJob({
    lifecycle,
    store: jobStore,
    progress,
    tracker,
    running,
    handlers: handlersOf(processors),
    worker,
    log
  })
  const heartbeat = createHeartbeat({
    store: workerStore,
    worker,
    queues: actions,
    database: { databaseUrl: config.databaseUrl, schema: config.databaseSchema },
    log
  })
  await heartbeat.start()
  const subscriber = openRedis('subscriber', worker)
  const watch = createRunWatch({ store: jobStore, running, subscriber, prefix, log })
  watch.start()
  const orphanedRuns = watchOrphanedRuns({ store: jobStore, running, lifecycle, worker, log })
  const pools = createPools({
    placesOf: new Map(actions.map((action) => [action, places])),
    redisOf: (action) => openRedis('blocking', `${worker}-${action}`),
    redisPrefix: prefix,
    queues,
    store: jobStore,
    owners: createOwnerScope(),
    runJob,
    // What else runs in this process makes it late, which must not decide how many jobs start.
    loopDelay: { readMs: () => 0, stop() {} },
    log
  })
  return {
    worker,
    running,
    heartbeat,
    async stop() {
      await pools.close()
      watch.stop()
      await orphanedRuns.stop()
      await heartbeat.stop()
    }
  }
}
