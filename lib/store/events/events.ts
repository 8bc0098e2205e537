import type { Knex } from 'knex'
import type { EventView } from '../../schemas/event.ts'
import { notSetAside } from '../operations/dead-letters.ts'
import { lookMs } from '../knex.ts'

/** One committed event of the log, in its place. */
export type LogEntry = {
  id: string
  position: number
  userId: string | null
  type: string
  subject: string | null
  data: unknown
  channels: string[]
  time: Date
}

export type LogEnds = {
  /** the last position that was given */
  last: number
  /** every event up to and with this position may have been removed */
  trimmed: number
}

export type EventFilter = {
  /** only this user's; absent: everybody's */
  userId?: string | undefined
  /** a type, or its beginning and `.*` */
  type?: string | undefined
  subject?: string | undefined
  /** oldest first, beginning after this position; absent: newest first, also those without a position yet */
  after?: number | undefined
  /** newest first: only older ones than this id */
  before?: string | undefined
  limit: number
}

export type EventStore = ReturnType<typeof createEventStore>

type EventRow = {
  id: string
  position: string
  user_id: string | null
  type: string
  subject: string | null
  data: unknown
  channels: string[]
  time: Date
}

const columns = ['id', 'position', 'user_id', 'type', 'subject', 'data', 'channels', 'time'] as const

export function toLogEntry({ id, position, user_id: userId, type, subject, data, channels, time }: EventRow): LogEntry {
  return { id, position: Number(position), userId, type, subject, data, channels, time }
}

function toView({ id, position, user_id: userId, type, subject, data, time }: EventRow): EventView {
  const at = time.toISOString()
  const place = position === null ? null : Number(position)
  return { id, userId, type, subject, data, position: place, time: at, createdAt: at, updatedAt: at }
}

/** Reads the `events` table. Positions become visible in order, so whoever reads on from the last one skips nothing. */
export function createEventStore({ knex }: { knex: Knex }) {
  return {
    /** Where the log ends on either side. */
    async ends(): Promise<LogEnds> {
      const row = await knex('relay').where({ id: 1 }).first('last_position', 'trimmed_position').timeout(lookMs)
      return { last: Number(row.last_position), trimmed: Number(row.trimmed_position) }
    },

    /** What follows `position`, ascending. */
    async after(position: number, limit: number): Promise<LogEntry[]> {
      const rows = await knex('events')
        .where('position', '>', position)
        .orderBy('position')
        .limit(limit)
        .select(columns)
        .timeout(lookMs)
      return rows.map(toLogEntry)
    },

    /** What follows `position` without being read itself. */
    async nextAfter(position: number): Promise<{ id: string; position: number } | undefined> {
      const row = await knex('events')
        .where('position', '>', position)
        .orderBy('position')
        .first('id', 'position')
        .timeout(lookMs)
      return row && { id: row.id as string, position: Number(row.position) }
    },

    /** One event in its place; `undefined` when it is not, or no longer, in the log. */
    async entry(id: string): Promise<LogEntry | undefined> {
      const row = await knex('events').where({ id }).whereNotNull('position').first(columns).timeout(lookMs)
      return row && toLogEntry(row)
    },

    /** What follows `position` in one channel, up to and with `upTo`, ascending. */
    async ofChannel(channel: string, position: number, upTo: number, limit: number): Promise<LogEntry[]> {
      const query = knex('events')
      // A user's own channel is a column with an index of its own; the others are in the array.
      if (channel.startsWith('user:')) void query.where({ user_id: channel.slice('user:'.length) })
      else void query.whereRaw('channels @> array[?]::text[]', [channel])
      const rows = await query
        .where('position', '>', position)
        .where('position', '<=', upTo)
        .orderBy('position')
        .limit(limit)
        .select(columns)
        .timeout(lookMs)
      return rows.map(toLogEntry)
    },

    /** Whether committed events of this channel still wait for their position. */
    async anyUnplaced(channel: string): Promise<boolean> {
      const row = await knex('events as e')
        .whereNull('position')
        .whereRaw('channels @> array[?]::text[]', [channel])
        .whereRaw(notSetAside('placing', 'e.id'))
        .first('id')
      return row !== undefined
    },

    async find(id: string, userId?: string): Promise<EventView | undefined> {
      const row = await knex('events')
        .where(userId === undefined ? { id } : { id, user_id: userId })
        .first(columns)
      return row && toView(row)
    },

    async list({ userId, type, subject, after, before, limit }: EventFilter): Promise<EventView[]> {
      const query = knex('events').limit(limit).select(columns)
      if (userId !== undefined) void query.where({ user_id: userId })
      if (subject !== undefined) void query.where({ subject })
      if (type?.endsWith('.*')) void query.whereRaw('starts_with(type, ?)', [type.slice(0, -1)])
      else if (type !== undefined) void query.where({ type })
      if (before !== undefined) void query.where('id', '<', before)
      if (after === undefined) void query.orderBy('id', 'desc')
      else void query.where('position', '>', after).orderBy('position')
      const rows: EventRow[] = await query
      return rows.map(toView)
    }
  }
}
