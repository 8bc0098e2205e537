import test from 'ava'
import { backoffMs } from '../../../lib/jobs/backoff.ts'

const least = () => 0
const most = () => 1

test('waits double, half of them by chance, up to ten minutes', (t) => {
  t.is(backoffMs({ attempt: 1, baseMs: 2_000 }, least), 1_000)
  t.is(backoffMs({ attempt: 1, baseMs: 2_000 }, most), 2_000)
  t.is(backoffMs({ attempt: 4, baseMs: 2_000 }, most), 16_000)
  t.is(backoffMs({ attempt: 30, baseMs: 2_000 }, most), 600_000)
})

test('a wait that was told is never cut short, and not the same for everybody', (t) => {
  t.is(backoffMs({ attempt: 1, baseMs: 20, atLeastMs: 60_000 }, least), 60_000)
  t.is(backoffMs({ attempt: 1, baseMs: 20, atLeastMs: 60_000 }, most), 75_000)
})

test('a job that waits for long asks ever less often, and each five minutes at least', (t) => {
  t.is(backoffMs({ attempt: 1, baseMs: 20, atLeastMs: 1_000, waitedMs: 400_000 }, least), 100_000)
  t.is(backoffMs({ attempt: 1, baseMs: 20, atLeastMs: 1_000, waitedMs: 40_000_000 }, least), 300_000)
})
