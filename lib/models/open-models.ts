import type { Redis } from 'ioredis'
import type { Budgets } from '../budgets/budgets.ts'
import type { Config } from '../config.ts'
import type { Logger } from '../logger.ts'
import type { Ledger } from '../store/money/ledger.ts'
import type { UsageTracker } from '../usage/tracker.ts'
import { createModels, createOpenAi, type Models } from './client.ts'
import { createDialect } from './dialect.ts'
import type { ProviderGuard } from './provider-guard.ts'

/**
 * The model client of this process: against the configured provider, or with no key and no address against the offline
 * provider, which speaks the same wire format inside the process and is loaded only then.
 */
export async function openModels({
  config,
  tracker,
  ledger,
  budgets,
  guard,
  redis,
  prefix,
  log
}: {
  config: Pick<Config, 'openai' | 'chatModel' | 'embeddingModel' | 'modelTimeoutMs'>
  tracker: UsageTracker
  ledger: Ledger
  budgets: Budgets
  guard: ProviderGuard
  /** where what is learnt of the server is shared */
  redis: Redis
  prefix: string
  log: Logger
}): Promise<Models> {
  const { apiKey, baseUrl, offline } = config.openai
  const provider = offline
    ? (await import('./open-offline.ts')).openOfflineProvider({ ownerOf: () => tracker.current().userId })
    : undefined
  const openai = createOpenAi({
    apiKey,
    // The offline provider is reached through `fetch` alone; the address only has to be well-formed.
    baseUrl: provider ? 'http://offline.invalid/v1' : baseUrl,
    timeoutMs: config.modelTimeoutMs,
    fetch: provider?.fetch
  })
  const dialect = createDialect({ redis, prefix, baseUrl: openai.baseURL, log })
  return createModels({ openai, config, tracker, ledger, budgets, guard, dialect, log })
}
