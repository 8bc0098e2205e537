import type { Knex } from 'knex'
import type { Failure } from '../../errors/failure.ts'
import { newId } from '../../ids.ts'
import type { DeadLetterView } from '../../schemas/dead-letter.ts'

export type NewDeadLetter = {
  kind: string
  key: string
  /** what cannot be read anywhere else */
  payload?: unknown
  failure: Failure
  /** tried again by itself after so long; absent: when somebody asks for it */
  retryAfterMs?: number | undefined
}

/** One that is to be tried again now. */
export type DueDeadLetter = { id: string; kind: string; key: string; payload: unknown; attempts: number }

type DeadLetterRow = {
  id: string
  kind: string
  key: string
  code: string
  message: string
  attempts: number
  created_at: Date
  failed_at: Date
  retry_at: Date | null
}

export type DeadLetterStore = ReturnType<typeof createDeadLetterStore>

const columns = ['id', 'kind', 'key', 'code', 'message', 'attempts', 'created_at', 'failed_at', 'retry_at'] as const

/** More than this are not counted one by one. */
const mostCounted = 10_000

/**
 * Leaves out of a query what was put aside, until it is to be tried again.
 * @param column what the key names, such as `e.id`
 */
export const notSetAside = (kind: string, column: string): string =>
  `not exists (select from dead_letters dl where dl.kind = '${kind}' and dl.key = ${column}::text)`

/** The `dead_letters` table. */
export function createDeadLetterStore({ knex }: { knex: Knex }) {
  const after = "now() + ?::double precision * interval '1 ms'"
  return {
    /** Keeps it, or that it failed once more. */
    async setAside({ kind, key, payload, failure, retryAfterMs }: NewDeadLetter): Promise<void> {
      await knex.raw(
        `insert into dead_letters as d (id, kind, key, payload, code, message, retry_at)
         values (:id, :kind, :key, :payload::jsonb, :code, :message, now() + :retryAfterMs::double precision * interval '1 ms')
         on conflict (kind, key) do update set payload = excluded.payload, code = excluded.code, message = excluded.message,
           attempts = d.attempts + 1, failed_at = now(), retry_at = excluded.retry_at`,
        {
          id: newId(),
          kind,
          key,
          payload: payload === undefined ? null : packed(payload),
          ...failure,
          retryAfterMs: retryAfterMs ?? null
        } as Record<string, Knex.Value>
      )
    },

    /** Newest first. */
    async list(query: {
      kind?: string | undefined
      before?: string | undefined
      limit: number
    }): Promise<DeadLetterView[]> {
      const rows = knex<DeadLetterRow>('dead_letters').orderBy('id', 'desc').limit(query.limit)
      if (query.kind !== undefined) void rows.where({ kind: query.kind })
      if (query.before !== undefined) void rows.where('id', '<', query.before)
      return ((await rows.select(columns)) as DeadLetterRow[]).map(toView)
    },

    /** Asks for one to be tried again now. @returns `undefined` when there is none of that id */
    async requestRetry(id: string): Promise<DeadLetterView | undefined> {
      const [row] = (await knex('dead_letters')
        .where({ id })
        .update({ retry_at: knex.fn.now() })
        .returning(columns)) as DeadLetterRow[]
      return row && toView(row)
    },

    /** The same for the oldest of a kind, or of all. @returns how many are tried again now */
    async requestRetries(kind: string | undefined, limit: number): Promise<number> {
      const wanted = knex('dead_letters').orderBy('id').limit(limit).select('id')
      if (kind !== undefined) void wanted.where({ kind })
      return await knex('dead_letters').whereIn('id', wanted).update({ retry_at: knex.fn.now() })
    },

    /** Gives one up. @returns whether it was there */
    async remove(id: string): Promise<boolean> {
      return (await knex('dead_letters').where({ id }).delete()) === 1
    },

    /** Takes what is to be tried again now; whoever dies with it leaves it to others after `leaseMs`. */
    async takeDue(limit: number, leaseMs: number): Promise<DueDeadLetter[]> {
      const { rows } = await knex.raw(
        `update dead_letters d set retry_at = ${after}
         from (select id from dead_letters where retry_at <= now() order by retry_at limit ? for update skip locked) due
         where d.id = due.id returning d.id, d.kind, d.key, d.payload, d.attempts`,
        [leaseMs, limit]
      )
      return (rows as DueDeadLetter[]).map((row) => ({ ...row, payload: unpacked(row.payload) }))
    },

    /** Leaves one until it is tried again, if ever; `attempted` when it failed by itself once more. */
    async putBack(id: string, failure: Failure | undefined, retryAfterMs: number | undefined): Promise<void> {
      await knex('dead_letters')
        .where({ id })
        .update({
          ...(failure ? { ...failure, attempts: knex.raw('attempts + 1'), failed_at: knex.fn.now() } : {}),
          retry_at: retryAfterMs === undefined ? null : knex.raw(after, [retryAfterMs])
        })
    },

    /** How many there are of each kind. */
    async count(): Promise<Record<string, number>> {
      const { rows } = await knex.raw(
        `select kind, count(*)::int as count from (select kind from dead_letters limit ${mostCounted}) d group by kind order by kind`
      )
      return Object.fromEntries((rows as { kind: string; count: number }[]).map(({ kind, count }) => [kind, count]))
    },

    /** Removes up to `limit` that have not been tried for so many days. @returns how many */
    async removeOld(days: number, limit: number): Promise<number> {
      const old = knex('dead_letters')
        .where('failed_at', '<', knex.raw(`now() - ? * interval '1 day'`, [days]))
        .orderBy('failed_at')
        .limit(limit)
        .select('id')
      return await knex('dead_letters').whereIn('id', old).delete()
    }
  }
}

/** What the database refused must not be refused here for the same reason, such as a NUL in it. */
const packed = (payload: unknown): string =>
  JSON.stringify({ base64: Buffer.from(JSON.stringify(payload)).toString('base64') })
const unpacked = (payload: unknown): unknown =>
  payload === null ? null : JSON.parse(Buffer.from((payload as { base64: string }).base64, 'base64').toString())

function toView(row: DeadLetterRow): DeadLetterView {
  const { id, kind, key, code, message, attempts } = row
  return {
    id,
    kind,
    key,
    code,
    message,
    attempts,
    createdAt: row.created_at.toISOString(),
    failedAt: row.failed_at.toISOString(),
    retryAt: row.retry_at?.toISOString() ?? null
  }
}
