import test from 'ava'
import { matches } from '../../../lib/schemas/event-pattern.ts'
import { nextWaitMs } from '../../../lib/webhooks/schedule.ts'
import { parseRetryAfter } from '../../../lib/webhooks/send.ts'

test('ten attempts in a little over three days, as the specification gives them', (t) => {
  const waits = Array.from({ length: 10 }, (_, i) => nextWaitMs(i + 1, 0, () => 0))
  t.deepEqual(
    waits,
    [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400].map((s) => s * 1000).concat(undefined as never)
  )
  t.is(
    nextWaitMs(1, 0, () => 1),
    5_500
  )
})

test('a receiver may ask for a longer wait, up to a day, and for no shorter one', (t) => {
  t.is(
    nextWaitMs(1, 60_000, () => 0),
    60_000
  )
  t.is(
    nextWaitMs(1, 1_000, () => 0),
    5_000
  )
  t.is(
    nextWaitMs(1, 1e12, () => 0),
    86_400_000
  )
  t.is(parseRetryAfter('120', 0), 120_000)
  t.is(parseRetryAfter('Thu, 01 Jan 1970 00:01:00 GMT', 15_000), 45_000)
  t.is(parseRetryAfter('Thu, 01 Jan 1970 00:00:01 GMT', 15_000), 0)
  for (const value of [undefined, '', 'soon', '-1']) t.is(parseRetryAfter(value, 0), undefined)
})

test('a pattern asks for everything, for what begins so, or for one type', (t) => {
  for (const pattern of ['*', 'job.*', 'job.completed.*', 'job.completed.rag_search']) {
    t.true(matches(pattern, 'job.completed.rag_search'), pattern)
  }
  for (const pattern of ['job', 'job.completed', 'jo.*', 'goal.*', 'job.completed.rag_search.*']) {
    t.false(matches(pattern, 'job.completed.rag_search'), pattern)
  }
})
