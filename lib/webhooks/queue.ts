import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { knowsItsVersion } from '../queues/known-version.ts'
import { queuePrefix } from '../queues/queues.ts'

/** What BullMQ carries: the delivery's id, which is also BullMQ's own id of it. Everything else is in the row. */
export type QueuedDelivery = { deliveryId: string }

export const webhookQueueName = 'webhooks'

export type WebhookQueue = {
  /** Adds deliveries to be attempted; adding twice is harmless. */
  add(deliveryIds: string[]): Promise<void>
  /** for the queue monitor */
  queue: Queue<QueuedDelivery>
  close(): Promise<void>
}

export function createWebhookQueue({ redis, redisPrefix }: { redis: Redis; redisPrefix: string }): WebhookQueue {
  const queue = new Queue<QueuedDelivery>(webhookQueueName, {
    connection: knowsItsVersion(redis) as never,
    prefix: queuePrefix(redisPrefix),
    // Attempts and waits live in the row, and so does what became of the delivery.
    defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
    skipWaitingForReady: true
  })
  queue.on('error', () => {
    // the connection reports its own state changes; commands that fail tell their caller
  })
  return {
    queue,
    async add(deliveryIds) {
      if (deliveryIds.length === 0) return
      await queue.addBulk(
        deliveryIds.map((deliveryId) => ({ name: 'deliver', data: { deliveryId }, opts: { jobId: deliveryId } }))
      )
    },
    close: () => queue.close()
  }
}
