import { randomBytes } from 'node:crypto'
import type { Actor } from '../access/actor.ts'
import { AppError, invalidField, notFound } from '../errors/app-error.ts'
import { requireMatch } from '../etag.ts'
import { encodeCursor, isUuid, type Page, type PageQuery } from '../schemas/page.ts'
import type { DeliveryView, WebhookCreate, WebhookPatch, WebhookView } from '../schemas/webhook.ts'
import type { DeliveryStore } from '../store/events/webhook-deliveries.ts'
import type { WebhookStore } from '../store/events/webhooks.ts'
import type { RingDeliveries } from './ring.ts'
import type { Targets } from './targets.ts'

export type Webhooks = ReturnType<typeof createWebhooks>

const mostOfUser = 20
const secretBytes = 32

/** What people do with their webhooks. Each sees their own, administrators too. */
export function createWebhooks({
  store,
  deliveries,
  targets,
  ring
}: {
  store: WebhookStore
  deliveries: DeliveryStore
  targets: Targets
  ring: RingDeliveries
}) {
  /**
   * Refuses early what an attempt would refuse anyway, by how it is written: where a name leads is asked at each attempt
   * and only then, so that nobody can ask here which names this machine knows.
   * @throws AppError `invalid` naming the URL
   */
  function checkUrl(text: string): void {
    try {
      targets.checkHost(new URL(text))
    } catch {
      throw invalidField('url', 'must lead to a public address')
    }
  }

  async function find(actor: Actor, id: string): Promise<WebhookView> {
    const webhook = isUuid(id) ? await store.find(actor.id, id) : undefined
    if (!webhook) throw notFound('the webhook')
    return webhook
  }

  function toPage<T extends { id: string }>(rows: T[], limit: number): Page<T> {
    const last = rows.length > limit ? rows[limit - 1] : undefined
    return { data: rows.slice(0, limit), nextCursor: last ? encodeCursor(last.id) : null }
  }

  return {
    /** @throws AppError 404 for an unknown or foreign id */
    find,

    async list(actor: Actor, { limit, cursor }: PageQuery): Promise<Page<WebhookView>> {
      return toPage(await store.list(actor.id, { before: cursor, limit: limit + 1 }), limit)
    },

    /**
     * @returns the webhook with its secret, which is not shown again
     * @throws AppError 422 for a URL that may not be reached; 409 when the person has twenty
     */
    async create(actor: Actor, { url, events, secret }: WebhookCreate): Promise<WebhookView & { secret: string }> {
      checkUrl(url)
      const signedWith = secret ?? `whsec_${randomBytes(secretBytes).toString('base64')}`
      const webhook = await store.insert({ userId: actor.id, url, events, secret: signedWith }, mostOfUser)
      if (!webhook) throw new AppError('conflict', `At most ${mostOfUser} webhooks`)
      return { ...webhook, secret: signedWith }
    },

    /** @throws AppError 404, 412, 422 */
    async update(actor: Actor, id: string, patch: WebhookPatch, ifMatch?: string): Promise<WebhookView> {
      const current = await find(actor, id)
      if (patch.url !== undefined) checkUrl(patch.url)
      const updated = await store.update(actor.id, current.id, patch, (locked) => requireMatch(ifMatch, locked))
      if (!updated) throw notFound('the webhook')
      return updated
    },

    /** Deletes it with its deliveries. @throws AppError 404, 412 */
    async remove(actor: Actor, id: string, ifMatch?: string): Promise<void> {
      const current = await find(actor, id)
      const removed = await store.remove(actor.id, current.id, (locked) => requireMatch(ifMatch, locked))
      if (!removed) throw notFound('the webhook')
    },

    async deliveriesOf(actor: Actor, id: string, { limit, cursor }: PageQuery): Promise<Page<DeliveryView>> {
      const { id: webhookId } = await find(actor, id)
      return toPage(await deliveries.list(webhookId, { before: cursor, limit: limit + 1 }), limit)
    },

    /**
     * Sends the same once more: same body, same `webhook-id`, a delivery of its own.
     * @throws AppError 404; 409 for a webhook that is disabled
     */
    async redeliver(actor: Actor, id: string, deliveryId: string): Promise<DeliveryView> {
      const webhook = await find(actor, id)
      if (!webhook.enabled) throw new AppError('conflict', 'The webhook is disabled')
      const again = isUuid(deliveryId) ? await deliveries.repeat(webhook.id, deliveryId) : undefined
      if (!again) throw notFound('the delivery')
      ring()
      return again
    }
  }
}
