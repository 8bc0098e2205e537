import test from 'ava'
import { askedWaitMs, longestPauseMs } from '../../../lib/models/wait-time.ts'

const now = Date.parse('2026-11-30T12:00:00Z')
const asked = (headers: Record<string, string>, status = 429) => askedWaitMs(new Headers(headers), status, now)

test('a wait is read in seconds, in milliseconds and as each of the dates of HTTP', (t) => {
  t.is(asked({ 'retry-after': '7' }), 7_000)
  t.is(asked({ 'retry-after': '1.5' }), 1_500)
  t.is(asked({ 'retry-after': ' 2 ' }), 2_000)
  t.is(asked({ 'retry-after-ms': '250.4', 'retry-after': '1' }), 251)
  t.is(asked({ 'retry-after': 'Mon, 30 Nov 2026 12:00:30 GMT' }), 30_000)
  t.is(asked({ 'retry-after': 'Monday, 30-Nov-26 12:00:30 GMT' }), 30_000)
  t.is(asked({ 'retry-after': '7' }, 503), 7_000)
})

test('a wait that cannot be meant is none', (t) => {
  const never = [
    '0',
    '-1',
    '0.0',
    '1e15',
    '1000000000000000',
    '1796040000',
    'NaN',
    'Infinity',
    '',
    'soon',
    '12 apples',
    '0x10',
    '5, 7',
    'Mon, 30 Nov 2026 11:59:59 GMT',
    'Thu, 01 Jan 1970 00:00:00 GMT',
    'Mon, 30 Nov 2099 12:00:00 GMT',
    'Mon, 99 Foo 2026 99:99:99 GMT',
    '9'.repeat(400)
  ]
  for (const value of never) t.is(asked({ 'retry-after': value }), undefined, value)
  for (const value of ['0', '-1', '1e3', '1796040000000', 'x'])
    t.is(asked({ 'retry-after-ms': value }), undefined, value)
  t.is(asked({ 'retry-after-ms': '-5', 'retry-after': '3' }), 3_000)
  t.is(askedWaitMs(undefined, 429, now), undefined)
})

test('a wait is capped: a day is told again after some minutes', (t) => {
  t.is(asked({ 'retry-after': '86400' }), longestPauseMs)
  t.is(asked({ 'retry-after': 'Tue, 01 Dec 2026 12:00:00 GMT' }), longestPauseMs)
  t.is(asked({ 'retry-after-ms': '86400000' }), longestPauseMs)
})

test('without it, a 429 is waited for until the limit that is used up is whole again', (t) => {
  t.is(asked({ 'x-ratelimit-reset-requests': '1m2s' }), 62_000)
  t.is(asked({ 'x-ratelimit-reset-tokens': '500ms' }), 500)
  t.is(asked({ 'x-ratelimit-reset-tokens': '55' }), 55_000)
  t.is(asked({ 'x-ratelimit-reset-tokens': '7.66s', 'x-ratelimit-reset-requests': '2m' }), 120_000)
  t.is(
    asked({
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit-reset-tokens': '7.5s',
      'x-ratelimit-remaining-requests': '99',
      'x-ratelimit-reset-requests': '2m'
    }),
    7_500
  )
  t.is(asked({ 'x-ratelimit-reset': String(now + 30_000) }), 30_000)
  t.is(asked({ 'x-ratelimit-reset': String(now / 1_000 + 30) }), 30_000)
  t.is(asked({ 'x-ratelimit-reset': String(now - 1) }), undefined)
  t.is(asked({ 'x-ratelimit-reset-requests': '-1s' }), undefined)
  t.is(asked({ 'x-ratelimit-reset-requests': '0s' }), undefined)
  t.is(asked({ 'x-ratelimit-reset-requests': '1m2s' }, 503), undefined)
})
