import { Queue, type QueueOptions } from 'bullmq'
import type { Redis } from 'ioredis'
import { type AiAction, aiActions } from '../schemas/actions.ts'
import { knowsItsVersion } from './known-version.ts'

/** What BullMQ carries: the job's id, which is also BullMQ's own id of it. Everything else is in the row. */
export type QueuedJob = { jobId: string }

/** Keys of all queues share one hash tag, so that a Redis Cluster keeps them in one slot (BullMQ's guide). */
export const queuePrefix = (redisPrefix: string): string => `{${redisPrefix}}`

const hour = 3_600

export const jobDefaults = {
  // Attempts and waits live in the row: an emptied Redis cannot reset them.
  attempts: 1,
  removeOnComplete: { age: hour, count: 1_000 },
  removeOnFail: { age: 7 * 24 * hour, count: 5_000 }
} as const satisfies QueueOptions['defaultJobOptions']

export type QueuedAs = { delayMs?: number; origin: 'user' | 'system'; first?: boolean }

/** BullMQ runs jobs without a priority first. */
const systemPriority = 10

export type Queues = ReturnType<typeof createQueues>

/** One BullMQ queue for each action, for adding, looking and removing. Workers are opened by the pool. */
export function createQueues({ redis, redisPrefix }: { redis: Redis; redisPrefix: string }) {
  const connection = knowsItsVersion(redis) as never
  const queues = new Map<AiAction, Queue<QueuedJob>>(
    aiActions.map((action) => {
      const queue = new Queue<QueuedJob>(action, {
        connection,
        prefix: queuePrefix(redisPrefix),
        defaultJobOptions: jobDefaults,
        skipWaitingForReady: true
      })
      queue.on('error', () => {
        // the connection reports its own state changes; commands that fail tell their caller
      })
      return [action, queue]
    })
  )
  const of = (action: AiAction): Queue<QueuedJob> => queues.get(action) as Queue<QueuedJob>
  return {
    of,
    all: (): Queue<QueuedJob>[] => [...queues.values()],
    /** Adds under the row's id: adding twice is harmless. What a person waits for goes before the platform's own jobs. */
    async add(action: AiAction, jobId: string, { delayMs = 0, origin, first = false }: QueuedAs): Promise<void> {
      const options = {
        jobId,
        ...(delayMs > 0 ? { delay: Math.ceil(delayMs) } : {}),
        ...(first ? { lifo: true } : {})
      }
      await of(action).add(
        action,
        { jobId },
        origin === 'system' && !first ? { ...options, priority: systemPriority } : options
      )
    },
    async close(): Promise<void> {
      await Promise.all([...queues.values()].map((queue) => queue.close()))
    }
  }
}
