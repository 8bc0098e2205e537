import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Config } from '../config.ts'
import { JobError } from '../errors/job-error.ts'
import type { Logger } from '../logger.ts'
import { defineScript } from '../redis/script.ts'
import type { ProviderFailure } from './provider-error.ts'
import { longestPauseMs } from './wait-time.ts'

export type ProviderGuard = {
  /**
   * Lets a request to the model go, or waits up to two seconds for its turn.
   * @param tokens the most it may take of the provider's tokens a minute
   * @throws JobError that takes no attempt when it would have to wait longer
   */
  enter(model: string, tokens: number, signal: AbortSignal): Promise<void>
  /** Tells that a request which was let go was not sent after all, or broken off by us: it was no probe of a circuit. */
  leave(model: string): Promise<void>
  /** Tells how a request went; `undefined` is an answer. */
  report(model: string, failure: ProviderFailure | undefined): Promise<void>
}

export type ModelState = { state: 'closed' | 'open' | 'paused'; retryAfterMs: number }

/** A wait that is not worth giving the job back for. */
const shortWaitMs = 2_000
const failuresToOpen = 5
const opensForMs = 5_000
const opensAtMostMs = 60_000
const probeMs = 30_000

const modelKey = (prefix: string, model: string): string => `${prefix}:model:${model}`

/**
 * What all workers together owe the provider: the pause it asked for, the limits it was configured with, and a circuit
 * breaker for each model that fails calls fast while the provider is down and lets one through to see when it is back.
 * Its state lives in Redis; without Redis requests go, because the provider knows its limits itself.
 */
export function createProviderGuard({
  redis,
  prefix,
  limits,
  log
}: {
  redis: Redis
  prefix: string
  limits: Config['providerLimits']
  log: Logger
}): ProviderGuard {
  const enter = defineScript<[number, string]>(redis, new URL('./guard-enter.lua', import.meta.url))
  const report = defineScript<string>(redis, new URL('./guard-report.lua', import.meta.url))

  async function ask(model: string, tokens: number): Promise<[number, string]> {
    const { requestsPerMinute = 0, tokensPerMinute = 0 } = limits[model] ?? {}
    try {
      return await enter([modelKey(prefix, model)], [requestsPerMinute, tokensPerMinute, tokens, probeMs])
    } catch {
      return [0, ''] // no Redis, no guard
    }
  }

  async function tell(model: string, outcome: string, pauseMs = 0): Promise<string> {
    const key = modelKey(prefix, model)
    try {
      return await report([key], [outcome, Math.ceil(pauseMs), failuresToOpen, opensForMs, opensAtMostMs])
    } catch {
      return '' // no Redis, no guard
    }
  }

  return {
    async enter(model, tokens, signal) {
      const deadline = Date.now() + shortWaitMs
      for (;;) {
        const [waitMs, reason] = await ask(model, tokens)
        if (waitMs === 0) return
        if (Date.now() + waitMs > deadline) {
          throw new JobError(`provider_${reason}`, 'the model provider cannot be asked at the moment', {
            retryable: true,
            retryAfterMs: waitMs,
            takesAttempt: false
          })
        }
        await delay(waitMs, undefined, { signal })
      }
    },

    async leave(model) {
      await tell(model, 'unsent')
    },

    async report(model, failure) {
      const outcome = failure === undefined ? 'ok' : failure.says === 'nothing' ? 'refused' : failure.says
      const pauseMs = Math.min(failure?.error.retryAfterMs ?? 0, longestPauseMs)
      const change = await tell(model, outcome, pauseMs)
      if (change === 'opened') log.warn({ model }, 'the model provider is down: calls fail fast until it is back')
      if (change === 'closed') log.info({ model }, 'the model provider is back')
    }
  }
}

/** How a model stands, for `/health`. Reads what the guards of all workers share. */
export async function readModelState(redis: Redis, prefix: string, model: string): Promise<ModelState> {
  const [pause, open] = await redis.hmget(modelKey(prefix, model), 'pause_until', 'open_until')
  const now = Date.now()
  if (open) return { state: 'open', retryAfterMs: Math.max(0, Number(open) - now) }
  if (pause && Number(pause) > now) return { state: 'paused', retryAfterMs: Number(pause) - now }
  return { state: 'closed', retryAfterMs: 0 }
}
