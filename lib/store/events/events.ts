import type { Knex } from 'knex'
import type { EventView } from '../../schemas/event.ts'
import { notSetAside } from '../operations/dead-letters.ts'
import { lookMs } from '../knex.ts'
import { type JobResultColumns, jobResultColumns, withJobResult } from './job-result.ts'

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

type EventRow = JobResultColumns & {
  id: string
  position: string
  user_id: string | null
  type: string
  subject: string | null
  data: unknown
  channels: string[]
  time: Date
}

/** An event with the job whose result it carries. Named `e` and `j` in what is added to it. */
const selected = (knex: Knex): Knex.QueryBuilder =>
  knex('events as e')
    .leftJoin('jobs as j', 'j.id', 'e.job_id')
    .select(
      ...['id', 'position', 'user_id', 'type', 'subject', 'data', 'channels', 'time'].map((name) => `e.${name}`),
      knex.raw(jobResultColumns)
    )

export function toLogEntry(row: EventRow): LogEntry {
  const { id, position, user_id: userId, type, subject, channels, time } = row
  return { id, position: Number(position), userId, type, subject, data: withJobResult(row.data, row), channels, time }
}

function toView(row: EventRow): EventView {
  const { id, position, user_id: userId, type, subject, time } = row
  const data = withJobResult(row.data, row)
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
      const rows = await selected(knex)
        .where('e.position', '>', position)
        .orderBy('e.position')
        .limit(limit)
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
      const row = await selected(knex).where('e.id', id).whereNotNull('e.position').first().timeout(lookMs)
      return row && toLogEntry(row)
    },

    /** What follows `position` in one channel, up to and with `upTo`, ascending. */
    async ofChannel(channel: string, position: number, upTo: number, limit: number): Promise<LogEntry[]> {
      const query = selected(knex)
      // A user's own channel is a column with an index of its own; the others are in the array.
      if (channel.startsWith('user:')) void query.where('e.user_id', channel.slice('user:'.length))
      else void query.whereRaw('e.channels @> array[?]::text[]', [channel])
      const rows = await query
        .where('e.position', '>', position)
        .where('e.position', '<=', upTo)
        .orderBy('e.position')
        .limit(limit)
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
      const query = selected(knex).where('e.id', id)
      if (userId !== undefined) void query.where('e.user_id', userId)
      const row = await query.first()
      return row && toView(row)
    },

    async list({ userId, type, subject, after, before, limit }: EventFilter): Promise<EventView[]> {
      const query = selected(knex).limit(limit)
      if (userId !== undefined) void query.where('e.user_id', userId)
      if (subject !== undefined) void query.where('e.subject', subject)
      if (type?.endsWith('.*')) void query.whereRaw('starts_with(e.type, ?)', [type.slice(0, -1)])
      else if (type !== undefined) void query.where('e.type', type)
      if (before !== undefined) void query.where('e.id', '<', before)
      if (after === undefined) void query.orderBy('e.id', 'desc')
      else void query.where('e.position', '>', after).orderBy('e.position')
      const rows: EventRow[] = await query
      return rows.map(toView)
    }
  }
}
