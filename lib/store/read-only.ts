import type { EventEmitter } from 'node:events'
import type pg from 'pg'

/** SQLSTATE read_only_sql_transaction (PostgreSQL's manual, appendix A). */
const readOnly = '25006'

/** Connections younger than this have been to wherever the address leads now. */
const freshMs = 1_000

/**
 * After a failover an address leads to the new primary, while connections that are kept lead to the old one, which is
 * read-only now. When one of a pool hears so, none that was open by then is used again. A server that everybody finds
 * read-only costs each place of the pool a connection a second at most.
 */
export function createTrust() {
  const openedAt = new WeakMap<pg.Client, number>()
  let distrustedBefore = Number.NEGATIVE_INFINITY
  return {
    watch(client: pg.Client): void {
      openedAt.set(client, performance.now())
      // The protocol's own event: a transaction sees the error before anybody asks the pool again.
      const { connection } = client as unknown as { connection: EventEmitter }
      connection.on('errorMessage', ({ code }: { code?: string }) => {
        if (code === readOnly) distrustedBefore = performance.now() - freshMs
      })
    },
    /** Whether a connection of the pool may be used: asked each time it is taken. */
    holds: (client: pg.Client): boolean => (openedAt.get(client) ?? Number.POSITIVE_INFINITY) > distrustedBefore
  }
}
