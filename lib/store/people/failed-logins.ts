import type { Knex } from 'knex'

export type FailedLoginStore = {
  /** Somebody tried a wrong password for this person from this address. What is older than a month is forgotten. */
  note(userId: string, ip: string): Promise<void>
}

export function createFailedLoginStore({ knex }: { knex: Knex }): FailedLoginStore {
  return {
    async note(userId, ip) {
      await knex('failed_logins').insert({ user_id: userId, ip })
      await knex('failed_logins')
        .where({ user_id: userId })
        .whereRaw(`created_at < now() - interval '1 month'`)
        .delete()
    }
  }
}
