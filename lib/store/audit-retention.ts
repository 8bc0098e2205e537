import type { Knex } from 'knex'

/** Takes out what is older than it is to be kept, a little at a time. */
export function createAuditRetention({ knex }: { knex: Knex }) {
  return {
    /**
     * Removes the oldest audits and failed logins. Never waits for a row that somebody else holds, and nobody waits long
     * for a row of this: each call is one short transaction.
     * @returns how many rows went; fewer than `limit` when there are no more
     */
    async removeOld(days: number, limit: number): Promise<number> {
      let removed = 0
      for (const [table, order] of [
        ['rate_limit_audits', 'created_at, id'],
        ['failed_logins', 'created_at']
      ]) {
        const { rowCount } = await knex.raw(
          `delete from ${table} where id in (
             select id from ${table} where created_at < now() - :days * interval '1 day'
             order by ${order} limit :limit for update skip locked)`,
          { days, limit }
        )
        removed = Math.max(removed, rowCount as number)
      }
      return removed
    }
  }
}
