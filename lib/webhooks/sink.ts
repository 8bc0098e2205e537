import type { Sink } from '../events/sink.ts'
import type { DeliveryStore, NewDelivery } from '../store/webhook-deliveries.ts'
import type { WebhookStore } from '../store/webhooks.ts'
import { matches } from './pattern.ts'
import type { RingDeliveries } from './ring.ts'

/**
 * The relay's third sink: makes a delivery of each event for each webhook of its person that asks for it, once, however
 * often the relay offers it. The row is the delivery; the bell only hurries it.
 */
export function createWebhookSink({
  webhooks,
  deliveries,
  ring
}: {
  webhooks: Pick<WebhookStore, 'enabledOf'>
  deliveries: Pick<DeliveryStore, 'insertMissing'>
  ring: RingDeliveries
}): Sink {
  return {
    name: 'webhooks',
    async deliver(batch, confirmed) {
      const userIds = [...new Set(batch.flatMap(({ userId }) => userId ?? []))]
      const hooks = userIds.length > 0 ? await webhooks.enabledOf(userIds) : []
      const wanted: NewDelivery[] = []
      for (const { userId, position, event } of hooks.length > 0 ? batch : []) {
        let body: string | undefined
        for (const hook of hooks) {
          if (hook.userId !== userId || !hook.events.some((pattern) => matches(pattern, event.type))) continue
          body ??= JSON.stringify(event)
          wanted.push({ webhookId: hook.id, eventId: event.id, eventType: event.type, position, body })
        }
      }
      const made = await deliveries.insertMissing(wanted)
      const last = batch.at(-1)
      if (last) confirmed(last.position)
      if (made.length > 0) ring()
    }
  }
}
