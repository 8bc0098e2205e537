import type { Knex } from 'knex'
import { isAdmin } from '../access/actor.ts'
import { notFound } from '../errors/app-error.ts'
import type { EventLog } from '../events/log.ts'
import { type EventCreate, type EventQuery, type EventView, encodeEventCursor } from '../schemas/event.ts'
import { isUuid, type Page } from '../schemas/page.ts'
import type { EventStore } from '../store/events/events.ts'
import type { Person } from './viewer.ts'

/** The log as its readers by REST see it: each the events that are theirs, administrators all. */
export function createEvents({ events, store }: { events: EventLog; store: EventStore }) {
  const ownOf = (actor: Person) => (isAdmin(actor) ? undefined : actor.id)

  return {
    /** @throws AppError 404 for an unknown or foreign id */
    async find(actor: Person, id: string): Promise<EventView> {
      const event = isUuid(id) ? await store.find(id, ownOf(actor)) : undefined
      if (!event) throw notFound('the event')
      return event
    },

    /** The newest first; with `after` what comes after that position, the oldest first. */
    async list(actor: Person, { limit, cursor, after, userId, type, subject }: EventQuery): Promise<Page<EventView>> {
      if (!isAdmin(actor) && userId !== undefined && userId.toLowerCase() !== actor.id) {
        return { data: [], nextCursor: null }
      }
      const place =
        after === undefined ? { before: cursor } : { after: Math.max(after, cursor === undefined ? 0 : Number(cursor)) }
      const rows = await store.list({ userId: userId ?? ownOf(actor), type, subject, ...place, limit: limit + 1 })
      const last = rows.length > limit ? rows[limit - 1] : undefined
      return {
        data: rows.slice(0, limit),
        nextCursor: last ? encodeEventCursor(after === undefined ? last.id : (last.position as number)) : null
      }
    },

    /** What a client has to tell; the schema sees to it that the type begins with `client.`. @returns the event's id */
    async create(trx: Knex.Transaction, actor: Person, { type, subject, data }: EventCreate): Promise<string> {
      return await events.append(trx, {
        type,
        userId: actor.id,
        subject: subject ?? null,
        data: data === undefined ? {} : data
      })
    }
  }
}
