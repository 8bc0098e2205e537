import type { Refused } from '../batches/bisect.ts'
import { splitBatch } from '../batches/split.ts'
import type { Outgoing } from '../events/outgoing.ts'
import type { Sink } from '../events/sink.ts'
import { NamedFailure } from '../errors/failure.ts'
import { isOutage } from '../errors/outage.ts'
import type { DeliveryStore, NewDelivery } from '../store/events/webhook-deliveries.ts'
import type { WebhookStore } from '../store/events/webhooks.ts'
import { matches } from '../schemas/event-pattern.ts'
import type { RingDeliveries } from './ring.ts'

/** What one statement writes: deliveries, and the body of each event once. */
const statement = { rows: 500, bytes: 4 * 1024 * 1024 }
/** The bytes are those of the row, and of the body for the first delivery of an event. */
type Sized = NewDelivery & { bytes: number }
const rowBytes = 200
/** A change of a webhook, or the removal of its person, is over by then. */
const busyMs = 2_000

/**
 * The relay's third sink: makes a delivery of each event for each webhook of its person that asks for it, once, however
 * often the relay offers it. The row is the delivery; the bell only hurries it.
 *
 * People take turns within a batch, an event of each after another, and what was written is on its way at once: whoever
 * has twenty webhooks and large events makes their own deliveries late.
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
  /** @returns positions of events with a webhook that somebody else holds */
  async function write(part: NewDelivery[]): Promise<number[]> {
    const { made, busy } = await deliveries.insertMissing(part)
    if (made.length > 0) ring()
    return busy
  }

  /** One that cannot be written keeps none of the others of its event away. */
  async function writeEach(wanted: NewDelivery[]): Promise<number[]> {
    const busy: number[] = []
    const errors: unknown[] = []
    for (const delivery of wanted) {
      try {
        busy.push(...(await write([delivery])))
      } catch (error) {
        if (isOutage(error)) throw error
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
    return busy
  }

  return {
    name: 'webhooks',
    async deliver(batch, confirmed) {
      const userIds = [...new Set(batch.flatMap(({ userId }) => userId ?? []))]
      const hooks = userIds.length > 0 ? await webhooks.enabledOf(userIds) : []
      const wanted = deliveriesOf(hooks.length > 0 ? inTurns(batch) : [], hooks)
      const busy = new Set<number>()
      for (const part of splitBatch(wanted, { ...statement, bytesOf: ({ bytes }) => bytes })) {
        const positions = await write(part).catch(async (error: unknown) => {
          if (batch.length > 1 || isOutage(error)) throw error
          return await writeEach(part)
        })
        for (const position of positions) busy.add(position)
      }
      const last = batch.at(-1)
      if (last && busy.size === 0) confirmed(last.position)
      return batch.filter(({ position }) => busy.has(position)).map(whileBusy)
    }
  }
}

const whileBusy = (member: Outgoing): Refused<Outgoing> => ({
  member,
  error: new NamedFailure('webhook_busy', 'a webhook of its person was being changed or removed', {
    retryAfterMs: busyMs
  })
})

/** The first event of each person, the second of each, and so on. */
function inTurns(batch: readonly Outgoing[]): Outgoing[] {
  const counts = new Map<string | null, number>()
  const turns = batch.map((member) => {
    const turn = counts.get(member.userId) ?? 0
    counts.set(member.userId, turn + 1)
    return { member, turn }
  })
  return turns.toSorted((a, b) => a.turn - b.turn).map(({ member }) => member)
}

function deliveriesOf(batch: Outgoing[], hooks: Awaited<ReturnType<WebhookStore['enabledOf']>>): Sized[] {
  const hooksOf = Map.groupBy(hooks, ({ userId }) => userId)
  return batch.flatMap(({ userId, position, event, body, bytes }) =>
    (hooksOf.get(userId ?? '') ?? [])
      .filter(({ events }) => events.some((pattern) => matches(pattern, event.type)))
      .map(({ id }, n) => ({
        webhookId: id,
        eventId: event.id,
        eventType: event.type,
        position,
        body,
        bytes: rowBytes + (n === 0 ? bytes : 0)
      }))
  )
}
