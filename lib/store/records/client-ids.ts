import type { Knex } from 'knex'

/** Types of records as they are called in results and events. */
export type RecordType = 'course' | 'goal' | 'task' | 'code_snapshot' | 'document'

export type ClientIdStore = ReturnType<typeof createClientIdStore>

/** The names that clients gave their records in bulk calls. */
export function createClientIdStore() {
  return {
    /**
     * Makes the bulk effects of a user wait for each other until the transaction ends,
     * so that a name that was not there when it was looked up is not there when it is written.
     */
    async lockUser(trx: Knex.Transaction, userId: string): Promise<void> {
      await trx.raw(`select pg_advisory_xact_lock(hashtextextended('client ids of ' || ?, 0))`, [userId])
    },

    /** Record ids by the names that the user has given them. */
    async find(
      trx: Knex.Transaction,
      userId: string,
      type: RecordType,
      names: Iterable<string>
    ): Promise<Map<string, string>> {
      const rows = (await trx('client_ids')
        .where({ user_id: userId, type })
        .whereRaw('client_id = any (?::text[])', [[...new Set(names)]])
        .select('client_id', 'record_id')) as { client_id: string; record_id: string }[]
      return new Map(rows.map(({ client_id, record_id }) => [client_id, record_id]))
    },

    async insert(
      trx: Knex.Transaction,
      userId: string,
      type: RecordType,
      names: { clientId: string; recordId: string }[]
    ): Promise<void> {
      if (names.length === 0) return
      await trx('client_ids').insert(
        names.map(({ clientId, recordId }) => ({ user_id: userId, type, client_id: clientId, record_id: recordId }))
      )
    }
  }
}
