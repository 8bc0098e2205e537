import OpenAI from 'openai'
import { JobError } from '../jobs/job-error.ts'

/** What a failed provider request means for the ledger and for the job. */
export type ProviderFailure = {
  error: JobError
  /** `refused`: an answer that costs nothing; `unknown`: no answer, so nobody can say whether it was charged */
  charge: 'refused' | 'unknown'
}

/**
 * Retried are 408, 409, 429, 5xx and connections (the contract, and the provider's own guide to error codes);
 * any other refusal is final. The provider's message is not passed on: it may quote the input.
 */
export function providerFailure(error: unknown): ProviderFailure {
  if (error instanceof JobError) return { charge: 'unknown', error }
  if (error instanceof OpenAI.APIError && error.status !== undefined) {
    const { status } = error
    const retryable = status === 408 || status === 409 || status === 429 || status >= 500
    const code = typeof error.code === 'string' && /^[a-z_]{1,60}$/.test(error.code) ? error.code : undefined
    const askedToWaitMs = retryAfterMs(error.headers)
    if (code === 'too_complex') {
      const message = 'the text takes more time than the model provider has for one'
      return { charge: 'refused', error: new JobError(code, message, { retryable: false, cause: error }) }
    }
    return {
      charge: 'refused',
      error: new JobError(
        retryable ? 'provider_unavailable' : 'provider_refused',
        `the model provider answered ${status}${code ? ` (${code})` : ''}`,
        {
          retryable,
          retryAfterMs: askedToWaitMs,
          // "Not now" with a time is no failed try: the model is paused for everybody meanwhile.
          takesAttempt: !(askedToWaitMs !== undefined && (status === 429 || status === 503)),
          cause: error
        }
      )
    }
  }
  return {
    charge: 'unknown',
    error: new JobError('provider_unreachable', 'the model provider could not be reached or broke off', {
      retryable: true,
      cause: error
    })
  }
}

/** `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), or the provider's own `retry-after-ms`. */
function retryAfterMs(headers: Headers | undefined): number | undefined {
  const ms = Number(headers?.get('retry-after-ms') ?? Number.NaN)
  if (Number.isFinite(ms)) return ms
  const value = headers?.get('retry-after')
  if (!value) return undefined
  const seconds = Number(value)
  if (Number.isFinite(seconds)) return seconds * 1000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}
