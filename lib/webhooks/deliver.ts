import { Webhook } from 'standardwebhooks'
import type { Logger } from '../logger.ts'
import type { AttemptEnd, DeliveryStore, DueDelivery } from '../store/webhook-deliveries.ts'
import type { WebhookStore } from '../store/webhooks.ts'
import { nextWaitMs } from './schedule.ts'
import type { Send, SendOutcome } from './send.ts'

/** Attempts one delivery. `later`: it is to be attempted again after so many ms. */
export type Deliver = (deliveryId: string) => Promise<{ kind: 'done' } | { kind: 'later'; delayMs: number }>

/** Attempts of one webhook at the same time in this process, so that one that hangs leaves room for the others. */
const atOnce = 5
const gone = 410

/** What one webhook has here: attempts under way, deliveries sent away until later, and how long the last attempt took. */
type Load = { underWay: number; deferred: number; tookMs: number }

/** Safe to run twice: an attempt that another has overtaken writes nothing. */
export function createDeliver({
  webhooks,
  deliveries,
  send,
  log
}: {
  webhooks: Pick<WebhookStore, 'disable'>
  deliveries: Pick<DeliveryStore, 'findPending' | 'endAttempt' | 'failPendingOf'>
  send: Send
  log: Logger
}): Deliver {
  const loads = new Map<string, Load>()

  async function attempt(delivery: DueDelivery): Promise<AttemptEnd> {
    const { url, secret, eventId, body, attempts } = delivery
    const now = new Date()
    const outcome = await send(
      url,
      {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'user-agent': 'ai-goals-tracker',
        'webhook-id': eventId,
        'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
        'webhook-signature': new Webhook(secret).sign(eventId, now, body)
      },
      body
    )
    return toEnd(outcome, attempts + 1)
  }

  return async (deliveryId) => {
    const delivery = await deliveries.findPending(deliveryId)
    if (!delivery) return { kind: 'done' }
    const { webhookId, attempts } = delivery
    if (!delivery.enabled) {
      await deliveries.failPendingOf(webhookId)
      return { kind: 'done' }
    }
    if (delivery.waitMs > 0) return { kind: 'later', delayMs: Math.ceil(delivery.waitMs) }
    const load = loads.get(webhookId) ?? { underWay: 0, deferred: 0, tookMs: 1_000 }
    loads.set(webhookId, load)
    if (load.underWay >= atOnce) return { kind: 'later', delayMs: turnMs(load) }

    load.underWay++
    const began = performance.now()
    try {
      const end = await attempt(delivery)
      await deliveries.endAttempt(deliveryId, attempts, end)
      if (end.status === 'pending') return { kind: 'later', delayMs: end.delayMs }
      if (end.responseStatus === gone) {
        await webhooks.disable(webhookId, 'gone')
        await deliveries.failPendingOf(webhookId)
        log.info({ webhookId }, 'webhook is gone and was disabled')
      }
      return { kind: 'done' }
    } finally {
      load.tookMs = performance.now() - began
      load.underWay--
      load.deferred = Math.max(0, load.deferred - 1)
      if (load.underWay === 0) loads.delete(webhookId)
    }
  }
}

/** When a delivery that finds its webhook busy may have its turn, going by how many were sent away before it. */
function turnMs(load: Load): number {
  load.deferred++
  return Math.min(Math.max(load.tookMs * (1 + load.deferred / atOnce), 100), 300_000)
}

function toEnd(outcome: SendOutcome, failed: number): AttemptEnd {
  const told =
    outcome.kind === 'answered'
      ? { responseStatus: outcome.status, error: 'status' as const }
      : { responseStatus: null, error: outcome.error }
  const { responseStatus } = told
  if (responseStatus !== null && responseStatus >= 200 && responseStatus < 300) {
    return { status: 'delivered', responseStatus, error: null }
  }
  const delayMs = nextWaitMs(failed, outcome.kind === 'answered' ? outcome.retryAfterMs : undefined)
  return responseStatus === gone || delayMs === undefined
    ? { status: 'failed', ...told }
    : { status: 'pending', delayMs, ...told }
}
