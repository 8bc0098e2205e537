import type { Context } from '../../lib/context.ts'
import { newId } from '../../lib/ids.ts'
import { createModels, createOpenAi } from '../../lib/models/client.ts'
import { createOfflineProvider, type OfflineProviderOptions } from '../../lib/models/offline/provider.ts'
import { createProviderGuard } from '../../lib/models/provider-guard.ts'
import { createUsageTracker } from '../../lib/usage/tracker.ts'

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
    timeoutMs = 5_000
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
  const tracker = createUsageTracker()
  const models = createModels({
    openai: createOpenAi({
      apiKey: undefined,
      baseUrl: 'http://offline.invalid/v1',
      timeoutMs,
      fetch: provider.fetch
    }),
    config: { ...config, chatModel, modelTimeoutMs: timeoutMs },
    tracker,
    ledger,
    budgets,
    guard: createProviderGuard({ redis, prefix: guardPrefix, limits: providerLimits, log }),
    log,
    ...(gatherMs === undefined ? {} : { gatherMs })
  })
  return { provider, tracker, models }
}
