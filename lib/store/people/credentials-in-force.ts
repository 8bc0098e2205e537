import type { Knex } from 'knex'
import type { Actor } from '../../access/actor.ts'
import { lookMs } from '../knex.ts'

/**
 * Of these credentials, the ones that are neither revoked nor out of date, with what their owner may do now.
 * One query however many there are: for what holds connections open and looks again all the time.
 * @returns roles by the credential's id
 */
export type CredentialsInForce = (credentials: Actor['credential'][]) => Promise<Map<string, Actor['role']>>

export function createCredentialsInForce({ knex }: { knex: Knex }): CredentialsInForce {
  return async (credentials) => {
    const idsOf = (isKey: boolean) =>
      credentials.filter(({ kind }) => (kind === 'api_key') === isKey).map(({ id }) => id)
    const { rows } = await knex
      .raw(
        `select c.id, u.role
       from (
         select id, user_id from sessions
         where id = any(:sessions::uuid[]) and revoked_at is null and expires_at > now()
         union all
         select id, user_id from api_keys
         where id = any(:keys::uuid[]) and revoked_at is null and (expires_at is null or expires_at > now())
       ) c join users u on u.id = c.user_id`,
        { sessions: idsOf(false), keys: idsOf(true) }
      )
      .timeout(lookMs)
    return new Map((rows as { id: string; role: Actor['role'] }[]).map(({ id, role }) => [id, role]))
  }
}
