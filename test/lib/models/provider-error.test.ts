import test from 'ava'
import OpenAI from 'openai'
import { errorInside, providerFailure } from '../../../lib/models/provider-error.ts'

const answered = (status: number, error: object = {}, headers: Record<string, string> = {}) =>
  providerFailure(OpenAI.APIError.generate(status, { error }, undefined, new Headers(headers)))

test('only what says something about the server counts against it', (t) => {
  for (const status of [500, 502, 503, 504, 529, 408, 429]) t.is(answered(status).says, 'down', String(status))
  for (const status of [400, 401, 402, 403, 404, 409, 413, 415, 422]) {
    t.is(answered(status).says, 'nothing', String(status))
  }
  t.is(providerFailure(new OpenAI.APIConnectionError({ message: 'x' })).says, 'down')
  t.is(providerFailure(new TypeError('fetch failed')).says, 'down')
  t.is(providerFailure(new TypeError('terminated')).says, 'down')
  const reset = Object.assign(new Error('read'), { code: 'ECONNRESET' })
  t.is(providerFailure(new Error('odd', { cause: reset })).says, 'down')
})

test('a mistake of ours is called ours and opens no circuit', (t) => {
  const failure = providerFailure(new TypeError("Cannot read properties of undefined (reading 'delta')"))
  t.like(failure, { says: 'nothing', charge: 'unknown' })
  t.like(failure.error, { code: 'internal', retryable: true })
})

test('a pause needs a time that can be meant, else the job uses up an attempt', (t) => {
  t.like(answered(429, {}, { 'retry-after': '3' }), { says: 'pause' })
  t.like(answered(429, {}, { 'retry-after': '3' }).error, { retryAfterMs: 3_000, takesAttempt: false })
  t.like(answered(503, {}, { 'retry-after': '3' }).error, { retryAfterMs: 3_000, takesAttempt: false })
  for (const value of ['0', '-1', '1e15', '1796040000', 'x']) {
    t.like(answered(429, {}, { 'retry-after': value }).error, { retryAfterMs: undefined, takesAttempt: true })
  }
  // one request's own trouble pauses nobody else
  t.like(answered(500, {}, { 'retry-after': '3' }), { says: 'down' })
  t.like(answered(500, {}, { 'retry-after': '3' }).error, { retryAfterMs: 3_000, takesAttempt: true })
  t.like(answered(400, {}, { 'retry-after': '3' }).error, { retryAfterMs: undefined, retryable: false })
})

test('an error inside of an answer counts as its status would', (t) => {
  const inside = (error: unknown) => providerFailure(errorInside(error)).error
  t.like(inside({ code: 401, message: 'x' }), { code: 'provider_refused', retryable: false })
  t.like(inside({ code: '429', message: 'x' }), { code: 'provider_unavailable', retryable: true })
  t.like(inside({ code: 'rate_limit_exceeded' }), { code: 'provider_unavailable' })
  t.like(inside({ code: 'invalid_api_key' }), { code: 'provider_refused' })
  t.like(inside({ code: null, type: 'overloaded_error' }), { code: 'provider_unavailable' })
  t.like(inside({ code: null, type: 'invalid_request_error' }), { code: 'provider_refused' })
  t.like(inside({ code: 'content_filter' }), { code: 'provider_refused' })
  t.like(inside({ message: 'no code' }), { code: 'provider_unavailable' })
  t.like(inside('a text'), { code: 'provider_unavailable' })
  t.like(inside({ code: 200 }), { code: 'provider_unavailable' })
  t.is(providerFailure(errorInside({ code: 403 })).says, 'nothing')
  t.is(providerFailure(errorInside({ code: 502 })).says, 'down')
})

test('a model that has no numbers for a text says nothing about its server', (t) => {
  const failure = answered(500, { message: 'failed to encode response: json: unsupported value: NaN' })
  t.like(failure, { says: 'nothing', charge: 'refused' })
  t.like(failure.error, { code: 'provider_malformed', retryable: false })
})
