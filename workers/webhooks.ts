import { DelayedError, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { pause } from '../lib/events/pause.ts'
import type { Logger } from '../lib/logger.ts'
import { queuePrefix } from '../lib/queues/queues.ts'
import type { DeliveryStore } from '../lib/store/webhook-deliveries.ts'
import type { Deliver } from '../lib/webhooks/deliver.ts'
import { type QueuedDelivery, type WebhookQueue, webhookQueueName } from '../lib/webhooks/queue.ts'

export type WebhookPool = {
  start(): void
  /** Takes no further deliveries and waits for the attempts under way, at most as long as one may take. */
  stop(): Promise<void>
}

const concurrency = 20
const lookEveryMs = 5_000
/** Older than this and still not attempted: Redis does not know of it. */
const overdueMs = 5_000
const lookBatch = 500
const keepDays = 30

/**
 * Attempts deliveries of webhooks. The row says when the next attempt is; BullMQ only keeps the time. Deliveries that
 * Redis has lost are found by their row, so an emptied Redis costs some seconds.
 */
export function createWebhookPool({
  redis,
  redisPrefix,
  deliver,
  deliveries,
  queue,
  log
}: {
  /** a client for BullMQ's blocking connection */
  redis: Redis
  redisPrefix: string
  deliver: Deliver
  deliveries: Pick<DeliveryStore, 'overdue' | 'removeOld'>
  queue: Pick<WebhookQueue, 'add'>
  log: Logger
}): WebhookPool {
  const stopping = new AbortController()
  let worker: Worker<QueuedDelivery> | undefined
  let looking: Promise<void> | undefined

  async function look(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await queue.add(await deliveries.overdue(overdueMs, lookBatch))
        await deliveries.removeOld(keepDays, lookBatch)
      } catch (error) {
        log.warn({ err: error }, 'webhook deliveries could not be looked after')
      }
      await pause(lookEveryMs, stopping.signal)
    }
  }

  return {
    start() {
      if (worker) return
      worker = new Worker<QueuedDelivery>(
        webhookQueueName,
        async (job, token) => {
          const next = await deliver(job.data.deliveryId)
          if (next.kind === 'done') return
          await job.moveToDelayed(Date.now() + next.delayMs, token)
          throw new DelayedError()
        },
        {
          connection: redis as never,
          prefix: queuePrefix(redisPrefix),
          concurrency,
          removeOnComplete: { count: 0 },
          removeOnFail: { count: 0 }
        }
      )
      worker.on('error', (error: Error & { code?: string }) => {
        log.debug({ queue: webhookQueueName, code: error.code ?? error.name }, 'queue worker met an error')
      })
      worker.on('failed', (job, error) => {
        log.warn({ deliveryId: job?.data.deliveryId, err: error }, 'a webhook delivery could not be attempted')
      })
      looking = look()
    },
    async stop() {
      stopping.abort()
      await looking
      await worker?.close()
    }
  }
}
