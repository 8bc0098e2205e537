import type { Knex } from 'knex'
import { newId } from '../../ids.ts'
import { notSetAside } from '../operations/dead-letters.ts'
import type { DeliveryError, DeliveryView } from '../../schemas/webhook.ts'

export type NewDelivery = {
  webhookId: string
  eventId: string
  eventType: string
  position: number
  body: string
}

/** What an attempt needs. */
export type DueDelivery = {
  id: string
  webhookId: string
  userId: string
  eventId: string
  body: string
  attempts: number
  url: string
  secret: string
  enabled: boolean
  /** whether the last attempt of the webhook took so long that it has one place until it is quick again */
  slow: boolean
}

/** Attempts at the same time. */
export type Places = {
  /** of webhooks that are not slow, all together */
  quick: number
  /** of slow webhooks, all together: places of their own, which the others never wait for */
  slow: number
  ofUser: number
  /** of one webhook that is not slow; a slow one has one */
  ofWebhook: number
}

/** What is under way already: how many attempts of which webhook. */
export type UnderWay = { webhookId: string; userId: string; slow: boolean; count: number }

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

/** Dead letters of deliveries whose attempt could not be written down, and of old ones that could not be removed. */
export const deliveryKind = 'webhook_deliveries'
export const deliveryRetentionKind = 'retention.webhook_deliveries'

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
  /** Positions of events that have no delivery yet for a webhook that is there. */
  async function missing(
    { webhookIds, eventIds }: { webhookIds: string[]; eventIds: string[] },
    events: Map<string, { position: number }>
  ): Promise<number[]> {
    const { rows } = await knex.raw(
      `select distinct d.event from unnest(:webhookIds::uuid[], :eventIds::uuid[]) as d (webhook, event)
       join webhooks w on w.id = d.webhook
       where not exists (select from webhook_deliveries o
                         where o.webhook_id = d.webhook and o.event_id = d.event and o.redelivery_of is null)`,
      { webhookIds, eventIds }
    )
    return (rows as { event: string }[]).map(({ event }) => (events.get(event) as { position: number }).position)
  }

  const old = (days: number, limit: number) =>
    knex('webhook_deliveries as d')
      .whereNot({ status: 'pending' })
      .where('created_at', '<', knex.raw(`now() - ? * interval '1 day'`, [days]))
      .whereRaw(notSetAside(deliveryRetentionKind, 'd.id'))
      .orderBy('created_at')
      .limit(limit)
      .select('id')

  return {
    /**
     * Writes deliveries that are not there yet, of webhooks that still are. Never waits for a webhook that somebody else
     * holds, because its person is being removed for example: nobody else's deliveries should. The body of an event is
     * sent and kept once, whatever the number of its webhooks.
     * @returns the ids of those written now, and positions of events with a webhook that is held
     */
    async insertMissing(deliveries: NewDelivery[]): Promise<{ made: string[]; busy: number[] }> {
      if (deliveries.length === 0) return { made: [], busy: [] }
      const events = new Map(
        deliveries.map(({ eventId, eventType, position, body }) => [
          eventId,
          { id: eventId, eventType, position, body }
        ])
      )
      const wanted = {
        ids: deliveries.map(() => newId()),
        webhookIds: deliveries.map(({ webhookId }) => webhookId),
        eventIds: deliveries.map(({ eventId }) => eventId)
      }
      const { rows } = await knex.raw(
        `with offered as materialized (
           select * from jsonb_to_recordset(:events::jsonb) as e (id uuid, "eventType" text, position bigint, body text)
         ),
         bodies as (
           insert into webhook_bodies (event_id, body) select id, body from offered order by id
           on conflict (event_id) do nothing
         )
         insert into webhook_deliveries (id, webhook_id, event_id, event_type, position)
         select d.id, w.id, e.id, e."eventType", e.position
         from unnest(:ids::uuid[], :webhookIds::uuid[], :eventIds::uuid[]) as d (id, webhook, event)
         join offered e on e.id = d.event
         join webhooks w on w.id = d.webhook
         order by w.id, e.position
         for key share of w skip locked
         on conflict (webhook_id, event_id) where redelivery_of is null do nothing
         returning id`,
        { ...wanted, events: JSON.stringify([...events.values()]) }
      )
      const made = (rows as { id: string }[]).map(({ id }) => id)
      return { made, busy: made.length < deliveries.length ? await missing(wanted, events) : [] }
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

    /**
     * Takes deliveries that are due, for at most as many attempts as there are places left. Nobody else takes them for
     * `leaseMs`; after that they are due again, should whoever took them have died.
     *
     * People are served in turn: who has fewer attempts under way comes first, and of one person whatever has been due
     * longest. So one with a thousand deliveries has at most `places.ofUser` before another's first.
     */
    async take(places: Places, underWay: UnderWay[], leaseMs: number): Promise<DueDelivery[]> {
      const { rows } = await knex.raw(takeSql, { ...places, leaseMs, underWay: JSON.stringify(underWay) })
      return rows as DueDelivery[]
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

    /** Removes up to `limit` deliveries that ended and are older than `days`. @returns how many */
    async removeOld(days: number, limit: number): Promise<number> {
      return await knex('webhook_deliveries').whereIn('id', old(days, limit)).delete()
    },

    /** Ids of such deliveries. */
    old: async (days: number, limit: number): Promise<string[]> => await old(days, limit).pluck('id'),

    /** Removes up to `limit` bodies that no delivery has any more. @returns how many */
    async removeUnusedBodies(limit: number): Promise<number> {
      const unused = knex('webhook_bodies as b')
        .where('b.created_at', '<', knex.raw(`now() - interval '1 hour'`)) // one that is new may be on its way
        .whereNotExists(knex('webhook_deliveries as d').whereRaw('d.event_id = b.event_id').select(knex.raw('1')))
        .limit(limit)
        .select('b.event_id')
      return await knex('webhook_bodies').whereIn('event_id', unused).delete()
    },

    async remove(ids: readonly string[]): Promise<void> {
      await knex('webhook_deliveries')
        .whereRaw('id = any (?::uuid[])', [[...ids]])
        .delete()
    }
  }
}

/**
 * Webhooks for which something waits are found by skipping through their index, not through what waits: a backlog of
 * thousands is one step. Rows that another process is taking are passed over, and each statement locks what it reads.
 */
const takeSql = `
  with recursive waiting as (
    (select webhook_id from webhook_deliveries where status = 'pending' order by webhook_id limit 1)
    union all
    select (
      select d.webhook_id from webhook_deliveries d
      where d.status = 'pending' and d.webhook_id > waiting.webhook_id order by d.webhook_id limit 1
    )
    from waiting where waiting.webhook_id is not null
  ),
  busy as (
    select * from jsonb_to_recordset(:underWay::jsonb) as b ("webhookId" uuid, "userId" uuid, slow boolean, count integer)
  ),
  hooks as (
    select w.id, w.user_id, w.url, w.secret, w.enabled, w.slow,
           greatest(case when w.slow then 1 else :ofWebhook::integer end - coalesce(b.count, 0), 0) as free,
           coalesce((select sum(o.count) from busy o where o."userId" = w.user_id), 0) as of_user
    from waiting join webhooks w on w.id = waiting.webhook_id left join busy b on b."webhookId" = w.id
  ),
  due as (
    select h.*, d.id as delivery_id, d.next_attempt_at,
           h.of_user + row_number() over (partition by h.user_id order by d.next_attempt_at, d.id) as turn
    from hooks h cross join lateral (
      select d.id, d.next_attempt_at from webhook_deliveries d
      where d.webhook_id = h.id and d.status = 'pending' and d.next_attempt_at <= now() and ${notSetAside(deliveryKind, 'd.id')}
      order by d.next_attempt_at, d.id limit h.free
      for update skip locked
    ) d
  ),
  chosen as (
    select *, row_number() over (partition by slow order by turn, next_attempt_at, delivery_id)
              + coalesce((select sum(o.count) from busy o where o.slow = due.slow), 0) as place
    from due where turn <= :ofUser::integer
  )
  update webhook_deliveries d set next_attempt_at = now() + :leaseMs::integer * interval '1 ms'
  from chosen c
  where d.id = c.delivery_id and c.place <= case when c.slow then :slow::integer else :quick::integer end
  returning d.id, d.webhook_id as "webhookId", c.user_id as "userId", d.event_id as "eventId", d.attempts,
            coalesce(d.body, (select b.body from webhook_bodies b where b.event_id = d.event_id)) as body,
            c.url, c.secret, c.enabled, c.slow`
