import type { Knex } from 'knex'
import { createRollUps } from '../../lib/admin/roll-ups.ts'
import { createRollUpStore } from '../../lib/store/audit/roll-ups.ts'

/** Rolls up over these tables; nothing is expected to be put aside. */
export const rollUpsOver = (knex: Knex) =>
  createRollUps({
    store: createRollUpStore({ knex }),
    deadLetters: {
      async setAside({ error }) {
        throw error
      }
    }
  })
