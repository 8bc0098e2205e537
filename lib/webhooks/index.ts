import type { Redis } from 'ioredis'
import type { Knex } from 'knex'
import type { Sink } from '../events/sink.ts'
import type { Logger } from '../logger.ts'
import { createDeliveryStore, type DeliveryStore } from '../store/events/webhook-deliveries.ts'
import { createWebhookStore } from '../store/events/webhooks.ts'
import { createDeliver, type Deliver } from './deliver.ts'
import { createRingDeliveries } from './ring.ts'
import { createSend } from './send.ts'
import { createWebhookSink } from './sink.ts'
import { createTargets } from './targets.ts'
import { createWebhooks, type Webhooks } from './webhooks.ts'

export type WebhookServices = {
  /** for routes */
  webhooks: Webhooks
  /** for the relay */
  sink: Sink
  /** for the pool */
  deliver: Deliver
  deliveries: DeliveryStore
}

/**
 * Everything of this folder, built over the same stores.
 * @param allow hosts that may be reached although their address is not public
 */
export function createWebhookServices({
  knex,
  redis,
  prefix,
  allow,
  log
}: {
  knex: Knex
  redis: Pick<Redis, 'publish'>
  prefix: string
  allow: string[]
  log: Logger
}): WebhookServices {
  const store = createWebhookStore({ knex })
  const deliveries = createDeliveryStore({ knex })
  const targets = createTargets({ allow })
  const ring = createRingDeliveries({ redis, prefix })
  return {
    webhooks: createWebhooks({ store, deliveries, targets, ring }),
    sink: createWebhookSink({ webhooks: store, deliveries, ring }),
    deliver: createDeliver({ webhooks: store, deliveries, send: createSend({ targets }), log }),
    deliveries
  }
}
