import test from 'ava'
import { createRunningJobs } from '../../workers/running-jobs.ts'

test('a run that is known to be lost is aborted, and not the next one of its job', (t) => {
  const running = createRunningJobs()
  const first = running.add('job', 1)
  first.remove()
  const second = running.add('job', 2)
  running.abort('job', 'lost', 1)
  t.false(second.signal.aborted)
  running.abort('job', 'lost', 2)
  t.true(second.signal.aborted)
})

test('a cancelled job is aborted whichever run it is in', (t) => {
  const running = createRunningJobs()
  const { signal } = running.add('job', 7)
  running.abort('another', 'lost')
  t.false(signal.aborted)
  running.abort('job', 'lost')
  t.true(signal.aborted)
})
