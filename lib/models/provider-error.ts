import OpenAI from 'openai'
import { JobError } from '../errors/job-error.ts'
import { hasNetworkCode } from '../errors/outages/network.ts'
import { refusalMessage } from './refusal-message.ts'
import { askedWaitMs } from './wait-time.ts'

/** What a failed provider request means for the ledger, for the job, and for everybody else who asks the same model. */
export type ProviderFailure = {
  error: JobError
  /** `refused`: an answer that costs nothing; `unknown`: no answer, so nobody can say whether it was charged */
  charge: 'refused' | 'unknown'
  /**
   * `down`: the server fails or cannot be reached; `pause`: it asked not to be called for `error.retryAfterMs`;
   * `nothing`: it answered, and what it answered is about this request or this key alone, or the failure is ours
   */
  says: 'down' | 'pause' | 'nothing'
}

/**
 * Retried are 408, 409, 429, 5xx and connections (the contract, and the provider's own guide to error codes);
 * any other refusal is final. The provider's message is not passed on: it may quote the input.
 */
export function providerFailure(error: unknown): ProviderFailure {
  if (error instanceof JobError) return { charge: 'unknown', says: silent.has(error.code) ? 'down' : 'nothing', error }
  if (isOutOfReach(error)) {
    return { charge: 'unknown', says: 'down', error: brokenOff(error) }
  }
  if (error instanceof OpenAI.APIError) return refusal(error)
  if (error instanceof SyntaxError) {
    const message = 'the model provider sent what is no JSON'
    const once = new JobError('provider_malformed', message, { retryable: true, cause: error })
    return { charge: 'unknown', says: 'nothing', error: once }
  }
  // A mistake of ours: the job's end says so, and nobody's circuit hears of it.
  const message = 'the answer of the model could not be used because of an error of the platform'
  return {
    charge: 'unknown',
    says: 'nothing',
    error: new JobError('internal', message, { retryable: true, cause: error })
  }
}

/** Codes of a provider that does not answer. */
const silent = new Set(['provider_unreachable', 'provider_timeout'])

/** No answer, or not its end. */
export function brokenOff(cause?: unknown): JobError {
  return new JobError('provider_unreachable', 'the model provider could not be reached or broke off', {
    retryable: true,
    cause
  })
}

/** An answer that cannot be understood. It is not asked for again: whoever reads it has done so already. */
export function malformed(what: string, cause?: unknown): JobError {
  return new JobError('provider_malformed', `the model provider sent ${what}`, { retryable: false, cause })
}

function refusal(error: InstanceType<typeof OpenAI.APIError>): ProviderFailure {
  const status = error.status ?? statusInside(error.error)
  const retryable = status === 408 || status === 409 || status === 429 || status >= 500
  const code = typeof error.code === 'string' && /^[a-z_]{1,60}$/.test(error.code) ? error.code : undefined
  if (code === 'too_complex') {
    const message = 'the text takes more time than the model provider has for one'
    return {
      charge: 'refused',
      says: 'nothing',
      error: new JobError(code, message, { retryable: false, cause: error })
    }
  }
  if (isAboutNumbers(error)) {
    return { charge: 'refused', says: 'nothing', error: malformed('no numbers for a text', error) }
  }
  const retryAfterMs = retryable ? askedWaitMs(error.headers, status) : undefined
  // "Not now" with a time is no failed try: the model is paused for everybody meanwhile.
  const isPause = retryAfterMs !== undefined && (status === 429 || status === 503)
  return {
    charge: 'refused',
    says: isPause ? 'pause' : retryable && status !== 409 ? 'down' : 'nothing',
    error: new JobError(retryable ? 'provider_unavailable' : 'provider_refused', refusalMessage(status, code), {
      retryable,
      retryAfterMs,
      takesAttempt: !isPause,
      cause: error
    })
  }
}

/**
 * An error that came inside an answer with status 200, as the body or as an event of a stream, as if it had come with
 * the status that it names.
 * @param inside the `error` member; OpenRouter writes the status as `code`, others a word as `code` or `type`
 */
export function errorInside(inside: unknown, headers: Headers = new Headers()): InstanceType<typeof OpenAI.APIError> {
  return OpenAI.APIError.generate(statusInside(inside), { error: inside }, undefined, headers)
}

/** Words for a status, of OpenAI, Anthropic, Mistral and vLLM; the first that fits. */
const words: [RegExp, number][] = [
  [/invalid_api_key|authentication|unauthorized/, 401],
  [/insufficient_quota|rate.?limit|too_many_requests|requests$/, 429],
  [/payment|billing|credit/, 402],
  [/permission|forbidden|moderation/, 403],
  [/not_found/, 404],
  [/timeout|timed_out/, 408],
  [/overload|unavailable|capacity/, 503],
  [/server_error|internal|api_error/, 500],
  [/invalid|bad_?request|content_(?:filter|policy)|context_length|unsupported|unprocessable|validation/, 400]
]

function statusInside(inside: unknown): number {
  const { code, status, type } = (typeof inside === 'object' && inside !== null ? inside : {}) as Record<
    string,
    unknown
  >
  for (const given of [code, status]) {
    const number = Number(given)
    if ((typeof given === 'number' || typeof given === 'string') && number >= 400 && number < 600) {
      return Math.floor(number)
    }
  }
  for (const word of [code, type, status]) {
    if (typeof word !== 'string' || word.length > 100) continue
    const known = words.find(([pattern]) => pattern.test(word.toLowerCase()))
    if (known) return known[1]
  }
  return 502 // an error of whoever stands behind the server
}

/** Servers whose model gives NaN for a text fail to write it as JSON, and answer 500 (Ollama): no word about the server. */
export function isAboutNumbers({ message }: Error): boolean {
  return /\bunsupported value: [+-]?(?:NaN|Inf)/i.test(message.slice(0, 1_000))
}

/** Connections as the SDK, undici and the system speak of them, and what we broke off ourselves. */
function isOutOfReach(error: unknown): boolean {
  if (error instanceof OpenAI.APIConnectionError || error instanceof OpenAI.APIUserAbortError) return true
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const { code, name, message } = at as NodeJS.ErrnoException
    if (name === 'AbortError' || name === 'TimeoutError' || hasNetworkCode(at) || code?.startsWith?.('UND_ERR_'))
      return true
    // undici's words for a request that could not be made, and for a body that broke off
    if (at instanceof TypeError && /^(?:fetch failed|terminated)/.test(message)) return true
  }
  return false
}
