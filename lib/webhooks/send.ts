import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { DeliveryError } from '../schemas/webhook.ts'
import { type Targets, TargetError } from './targets.ts'

export type SendOutcome =
  | { kind: 'answered'; status: number; retryAfterMs: number | undefined }
  | { kind: 'failed'; error: DeliveryError }

/** Posts a body. Never rejects, follows no redirect, and reads nothing of the answer but its head. */
export type Send = (url: string, headers: Record<string, string>, body: string) => Promise<SendOutcome>

/** Within what the Standard Webhooks specification recommends. */
const longestMs = 15_000

export function createSend({ targets, timeoutMs = longestMs }: { targets: Targets; timeoutMs?: number }): Send {
  return async (text, headers, body) => {
    try {
      const url = new URL(text)
      targets.checkHost(url)
      const { statusCode = 0, headers: answer } = await post(url, headers, body, targets, timeoutMs)
      return { kind: 'answered', status: statusCode, retryAfterMs: parseRetryAfter(answer['retry-after'], Date.now()) }
    } catch (error) {
      return { kind: 'failed', error: nameOf(error) }
    }
  }
}

function post(
  url: URL,
  headers: Record<string, string>,
  body: string,
  targets: Targets,
  timeoutMs: number
): Promise<IncomingMessage> {
  const secure = url.protocol === 'https:'
  // A connection for each request: one that was kept would skip the check of its address.
  const agent = secure ? new HttpsAgent({ keepAlive: false }) : new HttpAgent({ keepAlive: false })
  return new Promise((resolve, reject) => {
    const outgoing = (secure ? httpsRequest : httpRequest)(
      url,
      {
        method: 'POST',
        agent,
        lookup: targets.lookupFor(url),
        signal: AbortSignal.timeout(timeoutMs),
        headers: { ...headers, 'content-length': String(Buffer.byteLength(body)) }
      },
      (response) => {
        response.on('error', () => {}) // its end is of no interest
        response.destroy()
        resolve(response)
      }
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

function nameOf(error: unknown): DeliveryError {
  if (error instanceof TargetError) return 'address_refused'
  const { name, code = '' } = error as NodeJS.ErrnoException
  if (name === 'TimeoutError' || name === 'AbortError' || code === 'ABORT_ERR' || code === 'ETIMEDOUT') return 'timeout'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'unknown_host'
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)) return 'tls'
  return 'connection'
}

/** `Retry-After` (RFC 9110, 10.2.3): seconds or a date. `undefined` when absent or not understood. */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000
  // Every HTTP date begins with the day's name; `Date.parse` alone takes almost anything for one.
  const at = /^[A-Z][a-z]+,? /.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}
