import type { Redis } from 'ioredis'
import { type ReportWork, unreported } from '../lib/time/work-report.ts'
import { createSweeper } from '../lib/dead-letters/sweep.ts'
import type { DeadLetters } from '../lib/dead-letters/dead-letters.ts'
import { createDoorbell } from '../lib/time/doorbell.ts'
import type { Logger } from '../lib/logger.ts'
import { isOutage } from '../lib/errors/outage.ts'
import type { OwnerScope } from '../lib/sharing/owner-scope.ts'
import {
  type DeliveryStore,
  type DueDelivery,
  deliveryKind,
  deliveryRetentionKind,
  type Places,
  type UnderWay
} from '../lib/store/events/webhook-deliveries.ts'
import type { Deliver } from '../lib/webhooks/deliver.ts'
import { deliveriesChannel } from '../lib/webhooks/ring.ts'
import { type Repeated, repeat } from '../lib/time/repeat.ts'

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
/** They are looked for among all bodies, and there are few: those of webhooks that were removed, and old ones. */
const cleanBodiesEveryMs = 60 * 60_000
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
  deadLetters,
  owners,
  report = unreported,
  places = usualPlaces,
  log
}: {
  /** a client in subscriber mode; may be shared with others */
  subscriber: Redis
  prefix: string
  deliver: Deliver
  deliveries: Pick<DeliveryStore, 'take' | 'removeOld' | 'old' | 'remove' | 'removeUnusedBodies'>
  deadLetters: DeadLetters
  /** what an attempt shares with others (a connection to the database) it shares as its person */
  owners: Pick<OwnerScope, 'run'>
  report?: ReportWork
  places?: Places
  log: Logger
}): WebhookPool {
  const stopping = new AbortController()
  const sweep = createSweeper({ kind: deliveryRetentionKind, deadLetters })
  const serving = report('webhook_deliveries')
  const bell = createDoorbell()
  const channel = deliveriesChannel(prefix)
  const underWay = new Map<string, UnderWay>()
  const attempts = new Set<Promise<void>>()
  let running: Promise<unknown> | undefined
  let cleaning: Repeated[] = []

  const onMessage = (from: string) => {
    if (from === channel) bell.ring()
  }

  /** One whose end the database will not take would be sent again and again. */
  async function noteFailure(key: string, error: unknown): Promise<void> {
    log.warn({ deliveryId: key, err: error }, 'a webhook delivery could not be attempted')
    if (isOutage(error)) return
    await deadLetters
      .setAside({ kind: deliveryKind, key, error })
      .catch((failure: unknown) =>
        log.warn({ deliveryId: key, err: failure }, 'a webhook delivery could not be put aside')
      )
  }

  async function attempt(delivery: DueDelivery): Promise<void> {
    const { webhookId, userId, slow } = delivery
    const own = underWay.get(webhookId) ?? { webhookId, userId, slow, count: 0 }
    underWay.set(webhookId, { ...own, slow, count: own.count + 1 })
    try {
      await deliver(delivery)
    } catch (error) {
      await noteFailure(delivery.id, error)
    }
    const left = (underWay.get(webhookId) as UnderWay).count - 1
    if (left > 0) underWay.set(webhookId, { ...own, slow, count: left })
    else underWay.delete(webhookId)
    bell.ring()
  }

  async function serve(): Promise<void> {
    let failing = false
    while (!stopping.signal.aborted) {
      try {
        for (const delivery of await deliveries.take(places, [...underWay.values()], leaseMs)) {
          const made = owners.run(delivery.userId, () => attempt(delivery)).finally(() => attempts.delete(made))
          attempts.add(made)
        }
        failing = false
        serving.succeeded()
      } catch (error) {
        serving.failed(error)
        if (!failing) log.warn({ err: error }, 'webhook deliveries could not be taken')
        failing = true
      }
      await bell.wait(lookEveryMs, stopping.signal)
    }
  }

  const clean = () =>
    sweep({
      all: () => deliveries.removeOld(keepDays, cleanBatch),
      next: () => deliveries.old(keepDays, cleanBatch),
      these: deliveries.remove
    })

  async function cleanBodies(): Promise<void> {
    while (!stopping.signal.aborted && (await deliveries.removeUnusedBodies(cleanBatch)) === cleanBatch);
  }

  return {
    start() {
      if (running) return
      subscriber.on('message', onMessage)
      subscriber
        .subscribe(channel)
        .catch((error: unknown) => log.warn({ err: error }, 'webhook deliveries come by looking only'))
      running = serve()
      cleaning = [
        repeat({ name: 'delivery_retention', everyMs: cleanEveryMs, work: clean, report, log }),
        repeat({ name: 'body_retention', everyMs: cleanBodiesEveryMs, work: cleanBodies, report, log })
      ]
    },
    async stop() {
      stopping.abort()
      subscriber.off('message', onMessage)
      await running
      await Promise.all(cleaning.map((each) => each.stop()))
      await Promise.all(attempts)
    }
  }
}
