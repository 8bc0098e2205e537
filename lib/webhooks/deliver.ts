import type { Logger } from '../logger.ts'
import type { AttemptEnd, DeliveryStore, DueDelivery } from '../store/events/webhook-deliveries.ts'
import type { WebhookStore } from '../store/events/webhooks.ts'
import { nextWaitMs } from './schedule.ts'
import type { Send, SendOutcome } from './send.ts'
import { sign } from './sign.ts'

/** Attempts one delivery and writes how it ended. */
export type Deliver = (delivery: DueDelivery) => Promise<void>

const gone = 410
/** Attempts that take longer than this leave their webhook one place at a time, until one is quicker. */
const slowMs = 2_500

/** Safe to run twice: an attempt that another has overtaken writes nothing. */
export function createDeliver({
  webhooks,
  deliveries,
  send,
  log
}: {
  webhooks: Pick<WebhookStore, 'disable' | 'setSlow'>
  deliveries: Pick<DeliveryStore, 'endAttempt' | 'failPendingOf'>
  send: Send
  log: Logger
}): Deliver {
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
        'webhook-signature': sign({ id: eventId, at: now, body, secret })
      },
      body
    )
    return toEnd(outcome, attempts + 1)
  }

  return async (delivery) => {
    const { id, webhookId, attempts, slow } = delivery
    if (!delivery.enabled) return await deliveries.failPendingOf(webhookId)
    const began = performance.now()
    const end = await attempt(delivery)
    const isSlow = performance.now() - began > slowMs
    await deliveries.endAttempt(id, attempts, end)
    if (isSlow !== slow) await webhooks.setSlow(webhookId, isSlow)
    if (end.responseStatus === gone) {
      await webhooks.disable(webhookId, 'gone')
      await deliveries.failPendingOf(webhookId)
      log.info({ webhookId }, 'webhook is gone and was disabled')
    }
  }
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
