import type { Knex } from 'knex'
import type { Effect } from '../../workers/processor.ts'

/** What an effect comes to in a transaction of its caller. */
export const applyEffect = async (trx: Knex.Transaction, effect: Effect): Promise<unknown> =>
  typeof effect === 'function' ? await effect(trx) : effect.result
