import { Queue, type QueueOptions } from 'bullmq'
import type { Redis } from 'ioredis'
import { type AiAction, aiActions } from '../actions/actions.ts'
import { type Added, type Adder, createAdder } from './adder.ts'
import { createFairLine, type FairLine, noPlaceYet } from './fair-line.ts'
import { withKnownVersion } from '../redis/redis-version.ts'

/**
 * What BullMQ carries: the job's id, which is also BullMQ's own id of it, whose turn it takes (absent where an older
 * version added it), and the group that its owner shares a turn with, where it is known. Everything else is in the row.
 */
export type QueuedJob = { jobId: string; owner?: string; group?: string; origin?: 'system' }

/** Keys of all queues share one hash tag, so that a Redis Cluster keeps them in one slot (BullMQ's guide). */
export const queuePrefix = (redisPrefix: string): string => `{${redisPrefix}}`

const hour = 3_600

export const jobDefaults = {
  // Attempts and waits live in the row: an emptied Redis cannot reset them.
  attempts: 1,
  removeOnComplete: { age: hour, count: 1_000 },
  removeOnFail: { age: 7 * 24 * hour, count: 5_000 }
} as const satisfies QueueOptions['defaultJobOptions']

/** `owner`: the user whose turn the job takes. `first`: goes before everything that waits. */
export type QueuedAs = { delayMs?: number; owner: string; origin: 'user' | 'system'; first?: boolean }

export type Queues = ReturnType<typeof createQueues>

/**
 * One BullMQ queue for each action, for adding, looking and removing. Workers are opened by the pool.
 * @param groupOf who asks for what is added: in an API the address of the request, `''` where nobody does
 */
export function createQueues({
  redis,
  redisPrefix,
  groupOf = () => ''
}: {
  redis: Redis
  redisPrefix: string
  groupOf?: () => string
}) {
  const connection = withKnownVersion(redis) as never
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
  const lines = new Map<AiAction, FairLine>(
    [...queues].map(([action, queue]) => [action, createFairLine({ redis, queue })])
  )
  const adders = new Map([...queues].map(([action, queue]) => [action, createAdder(queue)]))
  const of = (action: AiAction): Queue<QueuedJob> => queues.get(action) as Queue<QueuedJob>
  const line = (action: AiAction): FairLine => lines.get(action) as FairLine
  return {
    of,
    all: (): Queue<QueuedJob>[] => [...queues.values()],
    /** Whether an operator has paused the queue: no worker takes a job of it. Without Redis nobody knows, and it is not. */
    async isPaused(action: AiAction): Promise<boolean> {
      return await of(action)
        .isPaused()
        .catch(() => false)
    },
    /** The order in which the jobs of a queue are served. */
    line,
    /**
     * Adds under the row's id, in the line of who waits, owner by owner: adding twice is harmless. It gets its place some
     * milliseconds later, and a delayed one when its delay is over.
     */
    async add(action: AiAction, jobId: string, { delayMs = 0, owner, origin, first = false }: QueuedAs): Promise<void> {
      const group = groupOf()
      const added: Added = {
        data: { jobId, owner, ...(group ? { group } : {}), ...(origin === 'system' ? { origin } : {}) },
        opts: {
          jobId,
          ...(delayMs > 0 ? { delay: Math.ceil(delayMs) } : {}),
          // BullMQ serves what has no priority before the line.
          ...(first ? { lifo: true } : { priority: noPlaceYet })
        }
      }
      await (adders.get(action) as Adder)(added)
      if (!first && delayMs <= 0) line(action).placeSoon()
    },
    async close(): Promise<void> {
      await Promise.all([...lines.values()].map((it) => it.close()))
      await Promise.all([...queues.values()].map((queue) => queue.close()))
    }
  }
}
