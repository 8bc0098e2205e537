import { isOutage } from './outage.ts'

/** What logs, health, metrics and administrators may see of a failure: nothing that anybody wrote, and no secret. */
export type Failure = {
  /** lower case and underscores, for alerts to go by */
  code: string
  message: string
}

/** An error whose code and message may be shown, because whoever throws it wrote them for that. */
export class NamedFailure extends Error {
  override name = 'NamedFailure'
  readonly code: string
  /** what it was about may be tried again by itself after so long; absent: it would fail again */
  readonly retryAfterMs: number | undefined

  constructor(code: string, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.retryAfterMs = options.retryAfterMs
  }
}

const mostRetries = 12
const longestRetryMs = 3_600_000

/**
 * When something that failed for so many times is tried again by itself: what the failure says, doubled each time up to an
 * hour, twelve times.
 * @returns ms; `undefined` when only a person can help
 */
export function retryDelayMs(error: unknown, attempts: number): number | undefined {
  const named = causesOf(error).find((at) => at instanceof NamedFailure)
  if (named?.retryAfterMs === undefined || attempts > mostRetries) return undefined
  return Math.min(named.retryAfterMs * 2 ** (attempts - 1), longestRetryMs)
}

const sqlState = /^[0-9A-Z]{5}$/

/**
 * What may be said of an error. A `NamedFailure` anywhere among its causes says it itself; of PostgreSQL's the SQLSTATE
 * and the constraint are told, because its words quote what people wrote.
 */
export function describeFailure(error: unknown): Failure {
  const chain = causesOf(error)
  for (const at of chain) if (at instanceof NamedFailure) return { code: at.code, message: at.message }
  if (isOutage(error)) return { code: 'unavailable', message: 'a service it needs is away for now' }
  for (const at of chain) {
    const { code, constraint } = at as { code?: unknown; constraint?: unknown }
    if (typeof code !== 'string' || !sqlState.test(code)) continue
    const of = typeof constraint === 'string' ? `, constraint ${constraint}` : ''
    return { code: 'database_refused', message: `the database refused it (SQLSTATE ${code}${of})` }
  }
  const name = chain[0]?.name ?? ''
  return { code: 'unexpected', message: `an unexpected error${/^[A-Za-z]{1,40}$/.test(name) ? ` (${name})` : ''}` }
}

function causesOf(error: unknown): Error[] {
  const chain: Error[] = []
  for (let at = error; at instanceof Error && chain.length < 5; at = at.cause) chain.push(at)
  return chain
}
