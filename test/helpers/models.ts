import { createOfflineProvider, type OfflineProviderOptions } from '@goals/offline-provider'
import type { Context } from '../../lib/context.ts'
import { newId } from '../../lib/ids.ts'
import { createModels, createOpenAi } from '../../lib/models/client.ts'
import { createDialect } from '../../lib/models/dialect.ts'
import { createProviderGuard } from '../../lib/models/provider-guard.ts'
import type { AiAction } from '../../lib/actions/actions.ts'
import { createUsageTracker, type UsageScope } from '../../lib/usage/tracker.ts'
import { newUser } from './context.ts'

/**
 * A model client over an offline provider of its own: its invoice holds this client's requests alone, and no other
 * test's pauses and circuits reach it.
 */
export function offlineModels(
  { config, ledger, budgets, redis, prefix, log }: Context,
  {
    provider: options = {},
    chatModel = config.chatModel,
    gatherMs,
    providerLimits = {},
    guardPrefix = `${prefix}:${newId()}`,
    timeoutMs = 120_000
  }: {
    provider?: OfflineProviderOptions
    chatModel?: string
    gatherMs?: number
    providerLimits?: Context['config']['providerLimits']
    guardPrefix?: string
    timeoutMs?: number
  } = {}
) {
  const provider = createOfflineProvider(options)
  const baseUrl = `http://${newId()}.invalid/v1`
  const tracker = createUsageTracker()
  const models = createModels({
    openai: createOpenAi({
      apiKey: undefined,
      baseUrl,
      timeoutMs,
      fetch: provider.fetch
    }),
    config: { ...config, chatModel, modelTimeoutMs: timeoutMs },
    tracker,
    ledger,
    budgets,
    guard: createProviderGuard({ redis, prefix: guardPrefix, limits: providerLimits, log }),
    dialect: createDialect({ redis, prefix: guardPrefix, baseUrl, log }),
    log,
    ...(gatherMs === undefined ? {} : { gatherMs })
  })
  return { provider, tracker, models }
}

/** A job that is being run, for calls that are made without a worker. @returns the scope that books them to it */
export async function runningJob(
  context: Context,
  {
    userId,
    action = 'chat_completion',
    input = {},
    decision
  }: { userId?: string; action?: AiAction; input?: unknown; decision?: { id: string; at: Date } } = {}
): Promise<UsageScope> {
  const owner = userId ?? (await newUser(context))
  const { job } = await context.jobs.admit({ actor: { id: owner }, action, input, ...(decision ? { decision } : {}) })
  const started = await context.lifecycle.start(job.id, `test-${job.id}`)
  if (started.kind !== 'started') throw new Error('the job could not be started')
  return { jobId: job.id, userId: owner, action, run: started.job.run }
}

/** Starts the next run of a job, as if its worker had died. */
export async function nextRun({ lifecycle }: Context, scope: UsageScope): Promise<UsageScope> {
  const started = await lifecycle.start(scope.jobId, `test-${newId()}`)
  if (started.kind !== 'started') throw new Error('the job could not be started again')
  return { ...scope, run: started.job.run }
}
