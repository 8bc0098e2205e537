import type { BucketState } from './bucket.ts'
import type { Decision } from './decision.ts'

type Told = Pick<Decision, 'ok' | 'degraded' | 'buckets' | 'retryAfterSeconds'>

/**
 * The rate-limit fields of an answer: the two of draft-ietf-httpapi-ratelimit-headers-10 (lists of RFC 9651, parameters
 * q, w, r and t), the three `X-RateLimit-*` that came before (of the bucket with the smallest share left), and
 * `Retry-After` in seconds (RFC 9110, section 10.2.3) when the request was refused.
 */
export function rateLimitHeaders({ ok, degraded, buckets, retryAfterSeconds }: Told): Record<string, string> {
  const mark = degraded ? ';goals-degraded' : ''
  const scarcest = buckets.toSorted((a, b) => share(a) - share(b))[0]
  return {
    ...(scarcest && {
      'RateLimit-Policy': buckets
        .map(({ name, capacity, windowSeconds }) => `"${name}";q=${capacity};w=${windowSeconds}${mark}`)
        .join(', '),
      RateLimit: buckets
        .map(({ name, remaining, resetSeconds }) => `"${name}";r=${remaining};t=${resetSeconds}${mark}`)
        .join(', '),
      'X-RateLimit-Limit': String(scarcest.capacity),
      'X-RateLimit-Remaining': String(scarcest.remaining),
      'X-RateLimit-Reset': String(scarcest.resetSeconds)
    }),
    ...(!ok && { 'Retry-After': String(retryAfterSeconds) })
  }
}

function share({ remaining, capacity }: BucketState): number {
  return remaining / capacity
}
