import type { Knex } from 'knex'
import type { GateAction } from '../../actions/actions.ts'
import { lookMs } from '../knex.ts'

export type LimitOverride = { userId: string; action: GateAction; limitPerMinute: number; burst: number }

export type LimitOverrideStore = ReturnType<typeof createLimitOverrideStore>

/** Limits that an administrator gave single users: the truth, of which each process keeps a copy. */
export function createLimitOverrideStore({ knex }: { knex: Knex }) {
  return {
    async all(): Promise<LimitOverride[]> {
      const rows = await knex('limit_overrides')
        .select('user_id', 'action', 'limit_per_minute', 'burst')
        .timeout(lookMs)
      return rows.map((row) => ({
        userId: row.user_id as string,
        action: row.action as GateAction,
        limitPerMinute: row.limit_per_minute as number,
        burst: row.burst as number
      }))
    },

    async put({ userId, action, limitPerMinute, burst }: LimitOverride): Promise<void> {
      await knex('limit_overrides')
        .insert({ user_id: userId, action, limit_per_minute: limitPerMinute, burst, updated_at: knex.fn.now() })
        .onConflict(['user_id', 'action'])
        .merge()
    },

    /** @returns false when there was none */
    async remove(userId: string, action: GateAction): Promise<boolean> {
      return (await knex('limit_overrides').where({ user_id: userId, action }).delete()) > 0
    }
  }
}
