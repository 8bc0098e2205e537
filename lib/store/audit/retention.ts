import type { Knex } from 'knex'
import { notSetAside } from '../operations/dead-letters.ts'

/** What goes when it is older than it is to be kept: where it is, and in which order it goes. */
const retained = {
  audits: { table: 'rate_limit_audits', order: 'created_at, id', id: 'uuid' },
  failed_logins: { table: 'failed_logins', order: 'created_at', id: 'bigint' }
} as const
export type Retained = keyof typeof retained

export const retentionKind = (what: Retained): string => `retention.${what}`

export const retentionKinds = (Object.keys(retained) as Retained[]).map(retentionKind)

export type AuditRetentionStore = ReturnType<typeof createAuditRetentionStore>

/**
 * Takes out what is older than it is to be kept. Never waits for a row that somebody else holds, and nobody waits long
 * for a row of this: each call is one short transaction.
 */
export function createAuditRetentionStore({ knex }: { knex: Knex }) {
  const old = (what: Retained) => {
    const { table, order } = retained[what]
    return `select o.id from ${table} o where o.created_at < now() - :days * interval '1 day'
            and ${notSetAside(retentionKind(what), 'o.id')} order by ${order} limit :limit`
  }
  return {
    /** Removes the oldest. @returns how many rows went; fewer than `limit` when there are no more */
    async removeOld(what: Retained, days: number, limit: number): Promise<number> {
      const { rowCount } = await knex.raw(
        `delete from ${retained[what].table} where id in (${old(what)} for update of o skip locked)`,
        { days, limit }
      )
      return rowCount as number
    },

    /** Ids of the oldest. */
    async old(what: Retained, days: number, limit: number): Promise<string[]> {
      const { rows } = await knex.raw(old(what), { days, limit })
      return (rows as { id: string }[]).map(({ id }) => String(id))
    },

    async remove(what: Retained, ids: readonly string[]): Promise<void> {
      const { table, id } = retained[what]
      await knex.raw(
        `delete from ${table} where id in (select id from ${table} where id = any (?::${id}[]) for update skip locked)`,
        [[...ids]]
      )
    }
  }
}
