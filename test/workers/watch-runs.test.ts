import { EventEmitter } from 'node:events'
import { mock } from 'node:test'
import test from 'ava'
import type { Redis } from 'ioredis'
import { cancelChannel } from '../../lib/jobs/jobs.ts'
import { createLogger } from '../../lib/logger.ts'
import type { JobStore } from '../../lib/store/jobs/jobs.ts'
import { createRunningJobs } from '../../workers/running-jobs.ts'
import { createRunWatch } from '../../workers/watch-runs.ts'

const prefix = 'test'
const settled = () => new Promise((resolve) => setImmediate(resolve))

/** A watch whose timers run when the test says so; `lost` are the runs that the database knows to be another's. */
function stage(t: { teardown: (end: () => void) => void }) {
  mock.timers.enable({ apis: ['setTimeout'] })
  const running = createRunningJobs()
  const lost: { id: string; run: number }[] = []
  const subscriber = Object.assign(new EventEmitter(), { subscribe: async () => 1 })
  const watch = createRunWatch({
    store: { lostRuns: async () => lost } as unknown as JobStore,
    running,
    subscriber: subscriber as unknown as Redis,
    prefix,
    log: createLogger({ level: 'silent', name: 'test' })
  })
  watch.start()
  t.teardown(() => {
    watch.stop()
    mock.timers.reset()
  })
  return { running, lost, cancel: (id: string) => subscriber.emit('message', cancelChannel(prefix), id) }
}

test.serial('a run whose job was cancelled is aborted at once when that is told', (t) => {
  const { running, cancel } = stage(t)
  const [cancelled, other] = [running.add('cancelled', 1), running.add('other', 1)]
  cancel('cancelled')
  t.true(cancelled.signal.aborted)
  t.false(other.signal.aborted)
})

test.serial(
  'a run that is lost without a word is aborted within a second, and the next of its job is not',
  async (t) => {
    const { running, lost } = stage(t)
    const [first, second] = [running.add('first', 1), running.add('second', 2)]
    lost.push({ id: 'first', run: 1 }, { id: 'second', run: 1 })
    mock.timers.tick(500)
    await settled()
    t.true(first.signal.aborted)
    t.false(second.signal.aborted)
    // It goes on looking.
    lost.push({ id: 'second', run: 2 })
    mock.timers.tick(500)
    await settled()
    t.true(second.signal.aborted)
  }
)
