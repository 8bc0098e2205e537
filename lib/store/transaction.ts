import type { Knex } from 'knex'

/**
 * One transaction of the platform, and what is to happen once it is committed.
 * `afterCommit` takes a key so that ten events of one transaction wake the relay once.
 */
export type Transaction = {
  transact<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T>
  /** Runs `action` after the commit of `trx`, once for each key. A failing action is reported, never thrown: the commit stands. */
  afterCommit(trx: Knex.Transaction, key: string, action: () => Promise<unknown>): void
}

/**
 * Uses Knex's callback form only: its promise style resolves even when COMMIT fails.
 * @param onError told about an `afterCommit` action that failed; whatever it should have done is repaired by polling
 */
export function createTransaction({
  knex,
  onError
}: {
  knex: Knex
  onError: (error: unknown, key: string) => void
}): Transaction {
  const pending = new WeakMap<Knex.Transaction, Map<string, () => Promise<unknown>>>()
  return {
    async transact(work) {
      let actions: Map<string, () => Promise<unknown>> | undefined
      const result = await knex.transaction(async (trx) => {
        actions = new Map()
        pending.set(trx, actions)
        return await work(trx)
      })
      for (const [key, action] of actions ?? []) {
        void action().catch((error: unknown) => onError(error, key))
      }
      return result
    },
    afterCommit(trx, key, action) {
      const actions = pending.get(trx)
      if (!actions) throw new Error('afterCommit needs a transaction that transact() has opened')
      if (!actions.has(key)) actions.set(key, action)
    }
  }
}
