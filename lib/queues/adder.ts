import type { JobsOptions, Queue } from 'bullmq'
import type { QueuedJob } from './queues.ts'

export type Added = { data: QueuedJob; opts: JobsOptions }

/** @throws when the add that the job was part of failed, whether or not it was added: adding twice is harmless */
export type Adder = (job: Added) => Promise<void>

/**
 * Adds to a queue for many at once: what comes while an add is under way goes together with the next one, so nobody
 * waits for company and a burst takes few round trips.
 */
export function createAdder(queue: Queue<QueuedJob>): Adder {
  let next: Added[] = []
  let adding: Promise<void> | undefined
  let following: Promise<void> | undefined

  async function addAll(): Promise<void> {
    const jobs = next.map((job) => ({ name: queue.name, ...job }))
    next = []
    const [first] = jobs
    if (first && jobs.length === 1) await queue.add(first.name, first.data, first.opts)
    else await queue.addBulk(jobs)
  }

  function start(): Promise<void> {
    const done = addAll()
    const over = done
      .catch(() => {
        // those who wait for it are told
      })
      .finally(() => {
        if (adding === over) adding = undefined
      })
    adding = over
    return done
  }

  return (job) => {
    next.push(job)
    if (!adding) return start()
    following ??= adding.then(() => {
      following = undefined
      return start()
    })
    return following
  }
}
