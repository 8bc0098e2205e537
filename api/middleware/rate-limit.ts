import type { Request, Response } from 'express'
import { AppError } from '../../lib/errors/app-error.ts'
import type { Decision, RequestFacts } from '../../lib/gate/decision.ts'
import { rateLimitHeaders } from '../../lib/gate/headers.ts'

type Told = Pick<Decision, 'ok' | 'degraded' | 'buckets' | 'retryAfterSeconds'>

/** Puts what the gate found on the answer, whatever the answer becomes. */
export function showLimits(res: Response, decision: Told): void {
  res.set(rateLimitHeaders(decision))
}

/** The 429 of a refused request (draft-ietf-httpapi-ratelimit-headers-10, 5.1: its problem type and member). */
export function refusal({ refusedBy, retryAfterSeconds }: Pick<Decision, 'refusedBy' | 'retryAfterSeconds'>): AppError {
  const seconds = retryAfterSeconds === 1 ? '1 second' : `${retryAfterSeconds} seconds`
  return new AppError('rate_limited', `Too many requests: try again in ${seconds}`, {
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    members: { 'violated-policies': refusedBy }
  })
}

/** Shows the decision. @throws AppError 429 when it is a refusal */
export function enforce(res: Response, decision: Told & Pick<Decision, 'refusedBy'>): void {
  showLimits(res, decision)
  if (!decision.ok) throw refusal(decision)
}

/** What the audit of a request holds. The path is a route's pattern, or the path itself without its query. */
export function requestFacts(
  req: Request,
  { userId, action, path }: Pick<RequestFacts, 'userId' | 'action' | 'path'>
): RequestFacts {
  return {
    userId,
    action,
    method: req.method,
    path,
    ip: addressOf(req),
    userAgent: (req.get('user-agent') ?? '').slice(0, 256)
  }
}

/** The client's address as far as `TRUST_PROXY` lets it be known; empty when the connection is gone already. */
export const addressOf = (req: Request): string => req.ip ?? ''
