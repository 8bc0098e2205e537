import type { Redis } from 'ioredis'
import type { Knex } from 'knex'
import { createAdmin } from './admin/index.ts'
import { createAuth } from './auth/index.ts'
import { createBudgets } from './budgets/budgets.ts'
import type { Config } from './config.ts'
import { createDeadLetters } from './dead-letters/dead-letters.ts'
import { createEventLog } from './events/log.ts'
import { createWake } from './redis/channels.ts'
import { createRefusalEvents } from './events/refusal-events.ts'
import { createAdmission } from './jobs/admit.ts'
import { createSettleJobs } from './jobs/settle-job.ts'
import { createJobEvents } from './jobs/job-events.ts'
import { createJobs } from './jobs/jobs.ts'
import { createLifecycle } from './jobs/lifecycle.ts'
import { createProgressBoard } from './jobs/progress.ts'
import { createUndo } from './jobs/undo.ts'
import type { Logger } from './logger.ts'
import { createQueues } from './queues/queues.ts'
import { createFreshness } from './rag/freshness.ts'
import { createRecords } from './records/records.ts'
import { createRedis } from './redis/client.ts'
import { createOwnerScope } from './sharing/owner-scope.ts'
import { createAuditStore } from './store/audit/audits.ts'
import { createBudgetStore } from './store/money/budgets.ts'
import { createDeadLetterStore } from './store/operations/dead-letters.ts'
import { createEmbeddingStore } from './store/search/embeddings.ts'
import { createEventStore } from './store/events/events.ts'
import { createJobChangeStore } from './store/jobs/changes.ts'
import { createAdmissionStore } from './store/jobs/admissions.ts'
import { createJobStore } from './store/jobs/jobs.ts'
import { createKnex } from './store/knex.ts'
import { createLedger } from './store/money/ledger.ts'
import { createSourceStore } from './store/search/sources.ts'
import { createThreadStore } from './store/records/threads.ts'
import { createTransaction } from './store/transaction.ts'
import { createWorkerStore } from './store/operations/workers.ts'
import { createUserStore } from './store/people/users.ts'
import { createWebhookServices } from './webhooks/index.ts'

export type Context = ReturnType<typeof build>

/** What one statement may take: more than any of ours does, an administrator's look at a month of audits included. */
const longestStatementMs = 120_000

/** Connection settings that the launcher or the environment must have filled in before a process starts. */
export type ProcessConfig = Config & { databaseUrl: string; redisUrl: string; jwtSecret: string }

/**
 * Opens the clients of one process and builds everything of `lib/` over them: the same for the API, the workers and the
 * tests. Nothing connects before it is used.
 * @returns the context, and `close`, which closes in reverse, goes on past a failure and reports the first one
 */
export function openContext({
  config,
  name,
  log
}: {
  config: ProcessConfig
  /** of the process, for connection names: `api`, `workers` */
  name: string
  log: Logger
}): { context: Context; close: () => Promise<void> } {
  const closers: (() => Promise<unknown>)[] = []
  const onClose = (closer: () => Promise<unknown>) => void closers.push(closer)
  const context = build({ config, name, log, onClose })
  return {
    context,
    async close() {
      let first: unknown
      for (const closer of closers.toReversed()) {
        await closer().catch((error: unknown) => {
          first ??= error
        })
      }
      if (first) throw first
    }
  }
}

function build({
  config,
  name,
  log,
  onClose
}: {
  config: ProcessConfig
  name: string
  log: Logger
  onClose: (closer: () => Promise<unknown>) => void
}) {
  const { redisPrefix: prefix } = config
  const owners = createOwnerScope()
  const knex: Knex = createKnex({
    databaseUrl: config.databaseUrl,
    schema: config.databaseSchema,
    applicationName: `goals-${name}`,
    statementMs: longestStatementMs,
    ownerOf: owners.current,
    log
  })
  onClose(() => knex.destroy())
  const openRedis = (
    kind: 'commands' | 'blocking' | 'subscriber',
    use: string,
    options?: Parameters<typeof createRedis>[1]['options']
  ): Redis => {
    const redis = createRedis(config.redisUrl, {
      kind,
      name: `goals-${name}-${use}`,
      log,
      ...(options ? { options } : {})
    })
    onClose(async () => redis.disconnect())
    return redis
  }
  const redis = openRedis('commands', 'commands')
  const subscriber = openRedis('subscriber', 'subscriber')

  const transaction = createTransaction({
    knex,
    onError: (error, key) => log.warn({ key, err: error }, 'a step after a commit failed, polling will make up for it')
  })
  const events = createEventLog({ transaction, wake: createWake({ redis, prefix }) })

  const budgetStore = createBudgetStore({ knex, fallbackDailyPico: config.defaultDailyPico })
  const ledger = createLedger({ knex, budgets: budgetStore })
  const budgets = createBudgets({
    knex,
    store: budgetStore,
    priceOf: ledger.priceOf,
    chatModel: config.chatModel,
    embeddingModel: config.embeddingModel
  })
  const audits = createAuditStore()
  const jobStore = createJobStore({ knex })
  const workerStore = createWorkerStore({ knex })
  const queues = createQueues({ redis: openRedis('commands', 'queues'), redisPrefix: prefix, groupOf: owners.current })
  onClose(() => queues.close())
  const webhookRoom = createWebhookServices({
    knex,
    redis,
    prefix,
    allow: config.webhookAllow,
    log
  })
  const deadLetterStore = createDeadLetterStore({ knex })
  const deadLetters = createDeadLetters({ store: deadLetterStore, log })
  const progress = createProgressBoard({ redis, prefix })
  const jobEvents = createJobEvents({ events })
  const settleJobs = createSettleJobs({
    store: jobStore,
    ledger,
    budgets,
    audits,
    jobEvents,
    publishRefusals: createRefusalEvents({ events })
  })
  const lifecycle = createLifecycle({
    store: jobStore,
    transaction,
    settleJobs,
    jobEvents,
    budgets,
    backoffBaseMs: config.jobBackoffMs,
    longestWaitMs: config.jobWaitMs
  })
  const admission = createAdmission({
    store: jobStore,
    admissions: createAdmissionStore({ knex, fallbackDailyPico: config.defaultDailyPico }),
    queues,
    transaction,
    budgets,
    maxAttempts: config.jobAttempts,
    log
  })
  const jobs = createJobs({ store: jobStore, queues, admission, lifecycle, progress, redis, prefix })

  const auth = createAuth({
    ownerOf: owners.current,
    knex,
    redis,
    prefix,
    transaction,
    events,
    secret: config.jwtSecret,
    registration: config.registration,
    cancelJobsOf: jobs.cancelAllOf,
    beforeRemoval: (trx, userId) => records.courses.removeAllOf(trx, userId),
    onError: (error) => log.warn({ err: error }, 'a credential could not be looked after')
  })

  const admin = createAdmin({
    config,
    knex,
    redis,
    subscriber,
    prefix,
    transaction,
    events,
    audits,
    deadLetters,
    deadLetterStore,
    log
  })

  const users = createUserStore({ knex })
  const eventStore = createEventStore({ knex })
  const sources = createSourceStore({ knex })
  const embeddings = createEmbeddingStore({ knex })
  const texts = createFreshness({
    enqueue: jobs.enqueueEmbeddings,
    sources,
    embeddings,
    model: config.embeddingModel
  })
  const records = createRecords({ knex, transaction, events, eventStore, texts, ownsJob: jobs.isVisible })
  const threadStore = createThreadStore({ knex })
  const undoJob = createUndo({ jobs: jobStore, changes: createJobChangeStore(), records })

  return {
    config,
    log,
    prefix,
    /** for whom what runs now is done */
    owners,
    knex,
    redis,
    subscriber,
    openRedis,
    /** Registers what has to be closed with the context, before what was there already. */
    onClose,
    transaction,
    events,
    ledger,
    budgets,
    budgetStore,
    audits,
    jobStore,
    workerStore,
    queues,
    webhookRoom,
    deadLetterStore,
    deadLetters,
    progress,
    lifecycle,
    jobs,
    undoJob,
    auth,
    admin,
    users,
    eventStore,
    records,
    threadStore
  }
}
