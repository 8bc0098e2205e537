import type { Knex } from 'knex'
import { newId } from '../ids.ts'
import type { DeliveryError, DeliveryView } from '../schemas/webhook.ts'

export type NewDelivery = { webhookId: string; eventId: string; eventType: string; position: number; body: string }

/** What an attempt needs. */
export type DueDelivery = {
  id: string
  webhookId: string
  eventId: string
  body: string
  attempts: number
  /** ms until the next attempt is due; not positive when it is */
  waitMs: number
  url: string
  secret: string
  enabled: boolean
}

export type AttemptEnd = { responseStatus: number | null; error: DeliveryError | null } & (
  | { status: 'delivered' | 'failed' }
  | { status: 'pending'; delayMs: number }
)

type DeliveryRow = {
  id: string
  webhook_id: string
  event_id: string
  event_type: string
  position: string
  redelivery_of: string | null
  status: DeliveryView['status']
  attempts: number
  next_attempt_at: Date | null
  response_status: number | null
  error: DeliveryError | null
  delivered_at: Date | null
  created_at: Date
}

export type DeliveryStore = ReturnType<typeof createDeliveryStore>

const columns = [
  'id',
  'webhook_id',
  'event_id',
  'event_type',
  'position',
  'redelivery_of',
  'status',
  'attempts',
  'next_attempt_at',
  'response_status',
  'error',
  'delivered_at',
  'created_at'
].map((column) => `d.${column}`)

function toView(row: DeliveryRow): DeliveryView {
  return {
    id: row.id,
    webhookId: row.webhook_id,
    eventId: row.event_id,
    eventType: row.event_type,
    position: Number(row.position),
    status: row.status,
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at?.toISOString() ?? null,
    responseStatus: row.response_status,
    error: row.error,
    redeliveryOf: row.redelivery_of,
    createdAt: row.created_at.toISOString(),
    deliveredAt: row.delivered_at?.toISOString() ?? null
  }
}

/** The `webhook_deliveries` table: the only record of what was sent, how often and when it is next. */
export function createDeliveryStore({ knex }: { knex: Knex }) {
  return {
    /** Writes deliveries that are not there yet, of webhooks that still are. @returns the ids of those written now */
    async insertMissing(deliveries: NewDelivery[]): Promise<string[]> {
      if (deliveries.length === 0) return []
      const { rows } = await knex.raw(
        `insert into webhook_deliveries (id, webhook_id, event_id, event_type, position, body)
         select d.id, w.id, d."eventId", d."eventType", d.position, d.body
         from jsonb_to_recordset(?::jsonb) as d (
           id uuid, "webhookId" uuid, "eventId" uuid, "eventType" text, position bigint, body text
         )
         join webhooks w on w.id = d."webhookId"
         order by w.id, d.position
         for key share of w
         on conflict (webhook_id, event_id) where redelivery_of is null do nothing
         returning id`,
        [JSON.stringify(deliveries.map((delivery) => ({ ...delivery, id: newId() })))]
      )
      return (rows as { id: string }[]).map(({ id }) => id)
    },

    /** The same once more, as a delivery of its own. `undefined` when there is none of that id for the webhook. */
    async repeat(webhookId: string, id: string): Promise<DeliveryView | undefined> {
      const { rows } = await knex.raw(
        `insert into webhook_deliveries (id, webhook_id, event_id, event_type, position, body, redelivery_of)
         select :newId, webhook_id, event_id, event_type, position, body, id
         from webhook_deliveries where id = :id and webhook_id = :webhookId
         returning *`,
        { newId: newId(), id, webhookId }
      )
      return rows[0] && toView(rows[0])
    },

    /** Newest first. */
    async list(
      webhookId: string,
      { before, limit }: { before?: string | undefined; limit: number }
    ): Promise<DeliveryView[]> {
      const query = knex('webhook_deliveries as d').where({ webhook_id: webhookId }).orderBy('id', 'desc').limit(limit)
      if (before !== undefined) void query.where('id', '<', before)
      return (await query.select<DeliveryRow[]>(columns)).map(toView)
    },

    /** A delivery that still waits, with where it goes. `undefined` when it has ended or is gone. */
    async findPending(id: string): Promise<DueDelivery | undefined> {
      const { rows } = await knex.raw(
        `select d.id, d.webhook_id, d.event_id, d.body, d.attempts, w.url, w.secret, w.enabled,
                extract(epoch from (d.next_attempt_at - now())) * 1000 as wait_ms
         from webhook_deliveries d join webhooks w on w.id = d.webhook_id
         where d.id = ? and d.status = 'pending'`,
        [id]
      )
      const [row] = rows
      return (
        row && {
          id: row.id,
          webhookId: row.webhook_id,
          eventId: row.event_id,
          body: row.body,
          attempts: row.attempts,
          waitMs: Number(row.wait_ms),
          url: row.url,
          secret: row.secret,
          enabled: row.enabled
        }
      )
    },

    /**
     * Writes how an attempt ended, if no other attempt was written since it began.
     * @param attempts how many there had been before it
     */
    async endAttempt(id: string, attempts: number, end: AttemptEnd): Promise<boolean> {
      const waits = end.status === 'pending'
      const count = await knex('webhook_deliveries')
        .where({ id, attempts, status: 'pending' })
        .update({
          attempts: attempts + 1,
          status: end.status,
          response_status: end.responseStatus,
          error: end.error,
          next_attempt_at: waits ? knex.raw(`now() + ? * interval '1 ms'`, [end.delayMs]) : null,
          delivered_at: end.status === 'delivered' ? knex.fn.now() : null
        })
      return count === 1
    },

    /** Ends what still waits for a webhook that takes no more. */
    async failPendingOf(webhookId: string): Promise<void> {
      await knex('webhook_deliveries')
        .where({ webhook_id: webhookId, status: 'pending' })
        .update({ status: 'failed', error: 'disabled', next_attempt_at: null })
    },

    /** Deliveries whose attempt is overdue by `byMs`: nobody is taking care of them. */
    async overdue(byMs: number, limit: number): Promise<string[]> {
      const rows = await knex('webhook_deliveries')
        .where({ status: 'pending' })
        .where('next_attempt_at', '<', knex.raw(`now() - ? * interval '1 ms'`, [byMs]))
        .orderBy('next_attempt_at')
        .limit(limit)
        .select('id')
      return rows.map(({ id }) => id as string)
    },

    /** Removes up to `limit` deliveries that ended and are older than `days`. @returns how many */
    async removeOld(days: number, limit: number): Promise<number> {
      const old = knex('webhook_deliveries')
        .whereNot({ status: 'pending' })
        .where('created_at', '<', knex.raw(`now() - ? * interval '1 day'`, [days]))
        .orderBy('created_at')
        .limit(limit)
        .select('id')
      return await knex('webhook_deliveries').whereIn('id', old).delete()
    }
  }
}
