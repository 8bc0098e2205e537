import type { JobsOptions, Queue } from 'bullmq'
import { isOutage } from '../errors/outage.ts'
import type { QueuedJob } from './queues.ts'

export type Added = { data: QueuedJob; opts: JobsOptions }

/** @throws what kept this job from being added, or what may have: adding twice is harmless */
export type Adder = (job: Added) => Promise<void>

type Waiting = { job: Added; resolve: () => void; reject: (error: unknown) => void }

/**
 * Adds to a queue for many at once: what comes in one turn of the event loop goes together, so nobody waits for company
 * and a burst takes few round trips. One that cannot be added fails alone.
 */
export function createAdder(queue: Queue<QueuedJob>): Adder {
  let waiting: Waiting[] = []

  async function addAlone({ job, resolve, reject }: Waiting): Promise<void> {
    await queue.add(queue.name, job.data, job.opts).then(resolve, reject)
  }

  async function addTogether(members: Waiting[]): Promise<void> {
    try {
      await queue.addBulk(members.map(({ job }) => ({ name: queue.name, ...job })))
      for (const { resolve } of members) resolve()
    } catch (error) {
      if (!isOutage(error)) await Promise.all(members.map(addAlone))
      else for (const { reject } of members) reject(error)
    }
  }

  function flush(): void {
    const members = waiting
    waiting = []
    const [first] = members
    void (first && members.length === 1 ? addAlone(first) : addTogether(members))
  }

  return (job) =>
    new Promise((resolve, reject) => {
      if (waiting.push({ job, resolve, reject }) === 1) setImmediate(flush)
    })
}
