import type { Knex } from 'knex'

export type FailedLoginStore = {
  /** Somebody tried a wrong password for this person from this address. */
  note(userId: string, ip: string): Promise<void>
}

export function createFailedLoginStore(knex: Knex): FailedLoginStore {
  return {
    async note(userId, ip) {
      await knex('failed_logins').insert({ user_id: userId, ip })
    }
  }
}
