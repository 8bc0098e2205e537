import type { Redis } from 'ioredis'
import { createDoorbell } from '../lib/events/doorbell.ts'
import { pause } from '../lib/events/pause.ts'
import type { Logger } from '../lib/logger.ts'
import type { DeliveryStore, DueDelivery, Places, UnderWay } from '../lib/store/webhook-deliveries.ts'
import type { Deliver } from '../lib/webhooks/deliver.ts'
import { deliveriesChannel } from '../lib/webhooks/ring.ts'

export type WebhookPool = {
  start(): void
  /** Takes no further deliveries and waits for the attempts under way, at most as long as one may take. */
  stop(): Promise<void>
}

/** An attempt is a socket that waits: many are cheap. A hundred people who are slow at once leave the others theirs. */
const usualPlaces: Places = { quick: 100, slow: 50, ofUser: 10, ofWebhook: 5 }
/** Longer than an attempt may take: its name, its answer and the writing down. */
const leaseMs = 30_000
/** The bell may not be heard. */
const lookEveryMs = 1_000
const cleanEveryMs = 60_000
const cleanBatch = 5_000
const keepDays = 30

/**
 * Attempts deliveries of webhooks, person by person in turn. The rows are the only queue: what is due is taken from them
 * as places become free, so a backlog of one person is rows that nobody touches, and an emptied Redis costs a second.
 */
export function createWebhookPool({
  subscriber,
  prefix,
  deliver,
  deliveries,
  places = usualPlaces,
  log
}: {
  /** a client in subscriber mode; may be shared with others */
  subscriber: Redis
  prefix: string
  deliver: Deliver
  deliveries: Pick<DeliveryStore, 'take' | 'removeOld'>
  places?: Places
  log: Logger
}): WebhookPool {
  const stopping = new AbortController()
  const bell = createDoorbell()
  const channel = deliveriesChannel(prefix)
  const underWay = new Map<string, UnderWay>()
  const attempts = new Set<Promise<void>>()
  let running: Promise<unknown> | undefined

  const onMessage = (from: string) => {
    if (from === channel) bell.ring()
  }

  async function attempt(delivery: DueDelivery): Promise<void> {
    const { webhookId, userId, slow } = delivery
    const own = underWay.get(webhookId) ?? { webhookId, userId, slow, count: 0 }
    underWay.set(webhookId, { ...own, slow, count: own.count + 1 })
    try {
      await deliver(delivery)
    } catch (error) {
      log.warn({ deliveryId: delivery.id, err: error }, 'a webhook delivery could not be attempted')
    }
    const left = (underWay.get(webhookId) as UnderWay).count - 1
    if (left > 0) underWay.set(webhookId, { ...own, slow, count: left })
    else underWay.delete(webhookId)
    bell.ring()
  }

  async function serve(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        for (const delivery of await deliveries.take(places, [...underWay.values()], leaseMs)) {
          const made = attempt(delivery).finally(() => attempts.delete(made))
          attempts.add(made)
        }
      } catch (error) {
        log.warn({ err: error }, 'webhook deliveries could not be taken')
      }
      await bell.wait(lookEveryMs, stopping.signal)
    }
  }

  async function clean(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await deliveries.removeOld(keepDays, cleanBatch)
      } catch (error) {
        log.warn({ err: error }, 'old webhook deliveries could not be removed')
      }
      await pause(cleanEveryMs, stopping.signal)
    }
  }

  return {
    start() {
      if (running) return
      subscriber.on('message', onMessage)
      subscriber
        .subscribe(channel)
        .catch((error: unknown) => log.warn({ err: error }, 'webhook deliveries come by looking only'))
      running = Promise.all([serve(), clean()])
    },
    async stop() {
      stopping.abort()
      subscriber.off('message', onMessage)
      await running
      await Promise.all(attempts)
    }
  }
}
