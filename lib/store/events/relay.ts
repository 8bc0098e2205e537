import type { Knex } from 'knex'
import type { Failure } from '../../errors/failure.ts'
import { notSetAside } from '../operations/dead-letters.ts'
import { type LogEntry, toLogEntry } from './events.ts'
import { jobResultColumns } from './job-result.ts'
import { lookMs } from '../knex.ts'

/** Names the one relay that may write: a later relay has a higher epoch, and writes of an earlier one change nothing. */
export type Lease = { holder: string; epoch: number }

/** How far a sink has confirmed the log, and why it gets no further, if it does not. */
export type SinkState = { sink: string; position: number; failure: Failure | undefined }

export type RelayLag = {
  /** events that wait for a position, and the age of the oldest in seconds */
  unplaced: number
  unplacedSeconds: number
  sinks: {
    sink: string
    /** events it has not confirmed, and the age of the oldest of them in seconds */
    behind: number
    seconds: number
    failing?: Failure & { since: string }
  }[]
}

export type RelayStore = ReturnType<typeof createRelayStore>

/** The `relay` row (lease and last position) and the cursors of its sinks. Times are the database's own. */
export function createRelayStore({ knex }: { knex: Knex }) {
  // A database behind a dead link must not hold a relay that is to notice it, or to stop.
  const raw = async (sql: string, bindings: Record<string, Knex.Value> = {}) =>
    await knex.raw(sql, bindings).timeout(lookMs)
  return {
    /**
     * Takes the lease if it is free or run out, or renews it if it is this holder's already.
     * @param holder a name that no other relay, not even an earlier one of the same process, has
     * @returns `undefined` while another relay has it
     */
    async acquire(holder: string, ttlMs: number): Promise<(Lease & { lastPosition: number }) | undefined> {
      const { rows } = await raw(
        `update relay
         set epoch = epoch + case when holder = :holder then 0 else 1 end, holder = :holder,
             expires_at = clock_timestamp() + :ttlMs * interval '1 ms'
         where id = 1 and (holder is null or holder = :holder or expires_at < clock_timestamp())
         returning epoch, last_position`,
        { holder, ttlMs }
      )
      return rows[0] && { holder, epoch: Number(rows[0].epoch), lastPosition: Number(rows[0].last_position) }
    },

    /** Gives the lease up, so that the next relay need not wait for its end. */
    async release({ holder, epoch }: Lease): Promise<void> {
      await knex('relay').where({ id: 1, holder, epoch }).update({ holder: null })
    },

    /**
     * Gives the next committed events their positions, in the order in which they were inserted.
     * One statement: positions, and the last one in the relay's row, commit together or not at all, and the lock on
     * that row makes positions visible in order. Rows that somebody else holds, because their person is being deleted,
     * are left for later, or the relay would wait for that with its own row locked.
     * @param ids only these of them
     * @returns the placed events, ascending, and the last position before them; `undefined` when the lease is
     *   another's by now
     */
    async place(
      { holder, epoch }: Lease,
      limit: number,
      ids?: readonly string[]
    ): Promise<{ previous: number; placed: LogEntry[] } | undefined> {
      const { rows } = await raw(
        `with lease as materialized (
           select last_position from relay where id = 1 and holder = :holder and epoch = :epoch for update
         ), waiting as materialized (
           select id, row_number() over (order by seq) as n
           from (select e.id, e.seq from events e
                 where e.position is null and exists (select from lease) and ${notSetAside('placing', 'e.id')}
                   ${ids ? 'and e.id = any(:ids::uuid[])' : ''}
                 order by e.seq limit :limit for no key update of e skip locked) e
         ), placed as (
           update events e set position = lease.last_position + waiting.n
           from waiting, lease
           where e.id = waiting.id and e.position is null
           returning e.id, e.position, e.user_id, e.type, e.subject, e.data, e.channels, e.time, e.job_id
         ), moved as (
           update relay set last_position = p.position
           from (select max(position) as position from placed) p
           where relay.id = 1 and p.position is not null
         )
         select lease.last_position as previous, e.*, ${jobResultColumns}
         from lease left join placed e on true left join jobs j on j.id = e.job_id order by e.position`,
        { holder, epoch, limit, ...(ids ? { ids: [...ids] } : {}) }
      )
      if (rows.length === 0) return undefined
      const previous = Number(rows[0].previous)
      return { previous, placed: rows[0].id === null ? [] : rows.map(toLogEntry) }
    },

    /** Ids of the next events that wait for a position, in the order in which they get them. */
    async waiting(limit: number): Promise<string[]> {
      return await knex('events as e')
        .whereNull('position')
        .whereRaw(notSetAside('placing', 'e.id'))
        .orderBy('seq')
        .limit(limit)
        .timeout(lookMs)
        .pluck('id')
    },

    /**
     * How far each of these sinks has confirmed the log. One that is new begins at the log's end; one that is not
     * named is forgotten, so that it holds nothing back.
     */
    async cursors({ holder, epoch }: Lease, sinks: string[]): Promise<Map<string, number> | undefined> {
      const { rows } = await raw(
        `with lease as materialized (
           select last_position from relay where id = 1 and holder = :holder and epoch = :epoch for update
         ), gone as (
           delete from relay_cursors where sink <> all(:sinks) and exists (select from lease)
         )
         insert into relay_cursors (sink, position)
         select s.sink, lease.last_position from lease, unnest(:sinks::text[]) as s(sink)
         on conflict (sink) do update set position = relay_cursors.position
         returning sink, position`,
        { holder, epoch, sinks }
      )
      if (rows.length < sinks.length) return undefined
      return new Map((rows as { sink: string; position: string }[]).map((row) => [row.sink, Number(row.position)]))
    },

    /**
     * Moves cursors forward, never back, and keeps since when and why a sink fails.
     * @returns false when the lease is another's by now
     */
    async saveCursors({ holder, epoch }: Lease, cursors: SinkState[]): Promise<boolean> {
      const { rows } = await raw(
        `with lease as materialized (
           select from relay where id = 1 and holder = :holder and epoch = :epoch for share
         ), saved as (
           update relay_cursors c
           set position = greatest(c.position, n.position), updated_at = now(), failure_code = n.code,
               failure_message = n.message, failing_since = case when n.code is not null then coalesce(c.failing_since, now()) end
           from unnest(:sinks::text[], :positions::bigint[], :codes::text[], :messages::text[])
                  as n(sink, position, code, message), lease
           where c.sink = n.sink
             and (c.position < n.position or (c.failure_code, c.failure_message) is distinct from (n.code, n.message))
         )
         select exists (select from lease) as ours`,
        {
          holder,
          epoch,
          sinks: cursors.map(({ sink }) => sink),
          positions: cursors.map(({ position }) => position),
          codes: cursors.map(({ failure }) => failure?.code ?? null) as string[],
          messages: cursors.map(({ failure }) => failure?.message ?? null) as string[]
        }
      )
      return rows[0].ours
    },

    /** Events that are older than `keepDays` and that every sink has confirmed, up to `limit`, the oldest first. */
    async old(keepDays: number, limit: number): Promise<string[]> {
      const { rows } = await raw(
        `select e.id from events e
         where e.position <= (select coalesce(min(position), 9223372036854775807) from relay_cursors)
           and e.time < now() - :keepDays * interval '1 day' and ${notSetAside('event_retention', 'e.id')}
         order by e.time limit :limit`,
        { keepDays, limit }
      )
      return (rows as { id: string }[]).map(({ id }) => id)
    },

    /** Removes events. @returns how many, or `undefined` when the lease is another's by now */
    async trim({ holder, epoch }: Lease, ids: readonly string[]): Promise<number | undefined> {
      const { rows } = await raw(
        `with lease as materialized (
           select trimmed_position from relay where id = 1 and holder = :holder and epoch = :epoch for update
         ), removed as (
           delete from events where id = any(:ids::uuid[]) and exists (select from lease) returning position
         ), moved as (
           update relay set trimmed_position = greatest(relay.trimmed_position, r.position)
           from (select max(position) as position from removed) r
           where relay.id = 1 and r.position is not null
         )
         select count(*) as count, exists (select from lease) as ours from removed`,
        { holder, epoch, ids: [...ids] }
      )
      return rows[0].ours ? Number(rows[0].count) : undefined
    },

    /** How far behind each sink is and why, and how many events wait for a position: for health and metrics. */
    async lag(): Promise<RelayLag> {
      const { rows } = await raw(
        `select c.sink, relay.last_position - c.position as behind, c.failing_since, c.failure_code, c.failure_message,
                case when relay.last_position > c.position then ${ageOf(
                  'select time from events where position > c.position order by position limit 1'
                )} end as seconds,
                waiting.count as unplaced, waiting.seconds as unplaced_seconds
         from relay left join relay_cursors c on true,
           (select count(*) as count, extract(epoch from now() - min(time)) as seconds
            from events e where e.position is null and ${notSetAside('placing', 'e.id')}) waiting
         order by c.sink`
      )
      const lagging = rows as LagRow[]
      return {
        unplaced: Number(lagging[0]?.unplaced ?? 0),
        unplacedSeconds: Math.max(0, Number(lagging[0]?.unplaced_seconds ?? 0)),
        sinks: lagging.flatMap(({ sink, behind, seconds, ...row }) =>
          sink === null
            ? []
            : [
                {
                  sink,
                  behind: Number(behind),
                  seconds: Number(seconds ?? 0),
                  ...(row.failing_since
                    ? {
                        failing: {
                          since: row.failing_since.toISOString(),
                          code: row.failure_code ?? '',
                          message: row.failure_message ?? ''
                        }
                      }
                    : {})
                }
              ]
        )
      }
    }
  }
}

/** Seconds since a moment that a subquery finds, in tenths. */
const ageOf = (moment: string) => `round(greatest(extract(epoch from now() - (${moment})), 0), 1)`

type LagRow = {
  sink: string | null
  behind: string | null
  seconds: string | null
  failing_since: Date | null
  failure_code: string | null
  failure_message: string | null
  unplaced: string
  unplaced_seconds: string | null
}
