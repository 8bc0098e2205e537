import test from 'ava'
import { parseList } from 'structured-headers'
import type { BucketState } from '../../../lib/gate/bucket.ts'
import { rateLimitHeaders } from '../../../lib/gate/headers.ts'

const chat: BucketState = {
  name: 'chat_completion',
  capacity: 10,
  windowSeconds: 60,
  remaining: 9,
  resetSeconds: 6,
  retryAfterMs: 0
}
const api: BucketState = {
  name: 'api_call',
  capacity: 150,
  windowSeconds: 90,
  remaining: 149,
  resetSeconds: 1,
  retryAfterMs: 0
}
const allowed = { ok: true, degraded: false, buckets: [chat, api], retryAfterSeconds: 0 }

test('an answer names every bucket of its request, and the scarcest one for older clients', (t) => {
  t.deepEqual(rateLimitHeaders(allowed), {
    'RateLimit-Policy': '"chat_completion";q=10;w=60, "api_call";q=150;w=90',
    RateLimit: '"chat_completion";r=9;t=6, "api_call";r=149;t=1',
    'X-RateLimit-Limit': '10',
    'X-RateLimit-Remaining': '9',
    'X-RateLimit-Reset': '6'
  })
})

test('a refusal says when to come back', (t) => {
  const headers = rateLimitHeaders({
    ...allowed,
    ok: false,
    retryAfterSeconds: 6,
    buckets: [{ ...chat, remaining: 0 }, api]
  })
  t.is(headers['Retry-After'], '6')
  t.is(headers['X-RateLimit-Remaining'], '0')
})

test('a degraded answer marks each item of both fields', (t) => {
  const headers = rateLimitHeaders({ ...allowed, degraded: true })
  for (const field of ['RateLimit-Policy', 'RateLimit']) {
    const items = parseList(headers[field] ?? '')
    t.is(items.length, 2)
    for (const [, parameters] of items) t.is(parameters.get('goals-degraded'), true)
  }
})

test('an answer without buckets has no rate-limit fields', (t) => {
  t.deepEqual(rateLimitHeaders({ ...allowed, buckets: [] }), {})
})
