import { type Clock, systemClock } from './clock.ts'
import { control } from './control.ts'
import { compute } from './compute.ts'
import { type ComputeLong, createComputing } from './computing.ts'
import { createCore } from './core.ts'
import { createFaultBox, type Fault } from './faults.ts'
import { createFetch } from './fetch.ts'
import { createInvoice } from './invoice.ts'
import { createLimiter } from './limits.ts'
import { type Listening, listen } from './listen.ts'
import { createPromptCache } from './prompt-cache.ts'
import { createScriptBox, type ScriptedCompletion } from './scripts.ts'
import { defaultSettings, type OfflineSettings, type SettingsPatch } from './settings.ts'

export type OfflineProviderOptions = SettingsPatch & { clock?: Clock; computeLong?: ComputeLong }

export type OfflineProvider = ReturnType<typeof createOfflineProvider>

/**
 * A model provider that needs no network: the OpenAI wire format for `POST /v1/embeddings`,
 * `POST /v1/chat/completions` and `GET /v1/models`, with models of its own (see docs/offline-provider.md).
 * Give `fetch` to the `openai` client, or `listen` and point `OPENAI_BASE_URL` at its URL; both are one provider with
 * one invoice.
 * @param computeLong computes requests of more than 16,384 characters; they are computed here when it is not given
 */
export function createOfflineProvider({
  clock = systemClock,
  computeLong = async (question) => compute(question),
  ...initial
}: OfflineProviderOptions = {}) {
  const invoice = createInvoice(() => clock.now())
  const faults = createFaultBox()
  const scripts = createScriptBox()
  const limiter = createLimiter(() => clock.now())
  const promptCache = createPromptCache()
  let current = defaultSettings

  const settings = {
    /** The settings as they are, with the faults and scripted completions that are still to come. */
    get: (): OfflineSettings => ({
      ...current,
      limits: { ...current.limits },
      faults: faults.list(),
      scripts: scripts.list()
    }),
    /** Changes what the patch names, for requests that come from now on. */
    set(patch: SettingsPatch): OfflineSettings {
      current = { ...current, ...patch, limits: { ...current.limits, ...patch.limits } }
      if (patch.faults || patch.seed !== undefined) faults.set(patch.faults ?? faults.list(), current.seed)
      if (patch.scripts) scripts.set(patch.scripts)
      if (patch.limits) limiter.clear()
      return settings.get()
    }
  }
  settings.set({ ...initial, faults: initial.faults ?? [] })

  const handle = createCore({
    clock,
    settings: () => current,
    invoice,
    faults,
    scripts,
    limiter,
    promptCache,
    computing: createComputing(computeLong)
  })
  const provider = {
    /** For `new OpenAI({ fetch })`; any base URL whose path ends in `/v1` will do. */
    fetch: createFetch(handle),
    settings,
    /** Adds a fault to those that wait. */
    fail: (fault: Fault): void => faults.add(fault),
    /** Adds a scripted completion to those that wait. */
    script: (completion: ScriptedCompletion): void => scripts.add(completion),
    /** Every physical request a model was asked, in order of arrival. */
    invoice: invoice.lines,
    invoiceTotals: invoice.totals,
    /** Forgets invoice, prompts seen, buckets, faults and scripts; the other settings go back to what they were at first. */
    reset(): void {
      invoice.clear()
      promptCache.clear()
      limiter.clear()
      current = defaultSettings
      settings.set({ ...initial, faults: initial.faults ?? [], scripts: initial.scripts ?? [] })
    },
    /** Serves over HTTP besides, with `/__offline/…` to steer it. */
    listen: (port = 0, host = '127.0.0.1'): Promise<Listening> =>
      listen(async (request) => control(provider, request) ?? handle(request), port, host)
  }
  return provider
}
