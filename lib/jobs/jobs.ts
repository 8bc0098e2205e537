import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { type Actor, isAdmin } from '../access/actor.ts'
import { AppError, notFound } from '../errors/app-error.ts'
import { orAborted } from '../time/pause.ts'
import type { Queues } from '../queues/queues.ts'
import type { AiAction } from '../actions/actions.ts'
import type { JobAttempt } from '../schemas/job-attempt.ts'
import type { JobView } from '../schemas/job.ts'
import type { JobFilter, JobStore } from '../store/jobs/jobs.ts'
import { withoutLargeResult } from '../store/jobs/large-result.ts'
import type { createAdmission } from './admit.ts'
import type { createLifecycle } from './lifecycle.ts'
import type { ProgressBoard } from './progress.ts'

/** Redis channel that tells workers to look whether what they run is still theirs. */
export const cancelChannel = (prefix: string): string => `${prefix}:cancel`

/** How long an answer waits for a Redis that does not answer: it has the job from the database. */
const redisPatienceMs = 250

const pseudonym = (worker: string): string => createHash('sha256').update(worker).digest('hex').slice(0, 12)

export type Jobs = ReturnType<typeof createJobs>

/** What the API may do with jobs. */
export function createJobs({
  store,
  queues,
  admission,
  lifecycle,
  progress,
  redis,
  prefix
}: {
  store: JobStore
  queues: Queues
  admission: ReturnType<typeof createAdmission>
  lifecycle: ReturnType<typeof createLifecycle>
  progress: ProgressBoard
  redis: Redis
  prefix: string
}) {
  const visibleTo = (actor: Actor) => (isAdmin(actor) ? undefined : actor.id)

  /** Best effort: workers look by themselves twice a second, and a queued job's start finds the row cancelled. */
  async function tellCancelled(action: AiAction, id: string): Promise<void> {
    const told = Promise.allSettled([redis.publish(cancelChannel(prefix), id), queues.of(action).remove(id)])
    await orAborted(told, AbortSignal.timeout(redisPatienceMs))
  }

  /**
   * The row does not know whether an operator has paused the queue, Redis does: it is asked only about jobs that would
   * start with the next free worker.
   */
  async function withPauses(views: JobView[]): Promise<JobView[]> {
    const startable = new Set(views.flatMap((job) => (job.waitingFor?.reason === 'worker' ? [job.action] : [])))
    if (startable.size === 0) return views
    const paused = new Set<AiAction>()
    const ask = async (action: AiAction) => {
      if (await queues.isPaused(action)) paused.add(action)
    }
    await orAborted(Promise.all([...startable].map(ask)), AbortSignal.timeout(redisPatienceMs))
    return views.map((job) =>
      job.waitingFor?.reason === 'worker' && paused.has(job.action)
        ? { ...job, waitingFor: { reason: 'queue_paused', until: null } }
        : job
    )
  }

  const jobs = {
    ...admission,

    /** @throws AppError 404 for an unknown or foreign id */
    async find(actor: Actor, id: string): Promise<JobView> {
      const found = await store.find(id, visibleTo(actor))
      if (!found) throw notFound('the job')
      const [job = found] = await withPauses([found])
      return job.status === 'active' ? { ...job, progress: (await progress.read(id)) ?? job.progress } : job
    },

    /** Whether the actor may see the job: its owner, and administrators. */
    async isVisible(actor: Actor, id: string): Promise<boolean> {
      const owner = await store.ownerOf(id)
      return owner !== undefined && (isAdmin(actor) || owner === actor.id)
    },

    /** Newest first, as events have them: without results over 64 KiB. */
    async list(filter: JobFilter): Promise<JobView[]> {
      return (await withPauses(await store.list(filter))).map((job) => withoutLargeResult(job))
    },

    /**
     * How each attempt of a job went, in their order. A worker's name has that of its machine in it: owners see a
     * pseudonym, by which they can tell one worker from another.
     * @throws AppError 404 for an unknown or foreign id
     */
    async attempts(actor: Actor, id: string): Promise<JobAttempt[]> {
      const attempts = await store.attemptsOf(id, visibleTo(actor))
      if (!attempts) throw notFound('the job')
      if (isAdmin(actor)) return attempts
      return attempts.map((attempt) => ({ ...attempt, worker: pseudonym(attempt.worker) }))
    },

    /** Cancels in any state, from any process; an ended job stays as it ended. Repeating it answers the same. */
    async cancel(actor: Actor, id: string): Promise<JobView> {
      const job = await store.find(id, visibleTo(actor))
      if (!job) throw notFound('the job')
      const isOwn = (await store.ownerOf(id)) === actor.id
      const why = isOwn ? 'cancelled by its owner' : 'cancelled by an administrator'
      if (await lifecycle.cancelOpen(id, why)) await tellCancelled(job.action, id)
      return (await store.find(id)) ?? job
    },

    /** Cancels whatever a user has open, before the user is deleted. */
    async cancelAllOf(userId: string): Promise<void> {
      for (const { id, action } of await store.openOf(userId)) {
        const why = 'cancelled because its user was deleted'
        if (await lifecycle.cancelOpen(id, why)) await tellCancelled(action, id)
      }
    },

    /** A new job with the input of a failed one. @throws AppError 404, or 409 when it has not failed */
    async retry(id: string): Promise<JobView> {
      const row = await store.inputOf(id)
      if (!row) throw notFound('the job')
      if (row.status !== 'failed') throw new AppError('conflict', 'only a failed job can be retried')
      const { job } = await admission.admit({
        actor: { id: row.user_id },
        action: row.action,
        input: row.input,
        retryOf: id,
        origin: row.origin,
        ...(row.source_type ? { source: { type: row.source_type, id: row.source_id as string } } : {}),
        ...(row.thread_id ? { threadId: row.thread_id } : {})
      })
      return job
    },

    /** Retries failed jobs that have not been retried, up to a thousand at once; those it cannot are left out. */
    async retryAll(action: AiAction | undefined): Promise<JobView[]> {
      const retried: JobView[] = []
      for (const id of await store.failedIds(action, 1_000)) {
        try {
          retried.push(await jobs.retry(id))
        } catch (error) {
          // Deleted meanwhile, or its user's budget is used up: the others have nothing to do with that.
          if (!(error instanceof AppError) || error.status >= 500) throw error
        }
      }
      return retried
    }
  }
  return jobs
}
