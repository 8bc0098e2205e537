import type { Knex } from 'knex'
import { newId } from '../../ids.ts'
import type { WebhookPatch, WebhookView } from '../../schemas/webhook.ts'

type WebhookRow = {
  id: string
  user_id: string
  url: string
  events: string[]
  secret: string
  enabled: boolean
  disabled_reason: 'gone' | null
  created_at: Date
  updated_at: Date
}

export type WebhookStore = ReturnType<typeof createWebhookStore>

const columns = ['id', 'url', 'events', 'enabled', 'disabled_reason', 'created_at', 'updated_at'] as const

function toView(row: Omit<WebhookRow, 'user_id' | 'secret'>): WebhookView {
  return {
    id: row.id,
    url: row.url,
    events: row.events,
    enabled: row.enabled,
    disabledReason: row.disabled_reason,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString()
  }
}

/** The `webhooks` table. Secrets go in and to the sender, never into a view. */
export function createWebhookStore({ knex }: { knex: Knex }) {
  return {
    /**
     * @param most how many one person may have
     * @returns `undefined` when the person has as many already
     */
    async insert(
      webhook: { userId: string; url: string; events: string[]; secret: string },
      most: number
    ): Promise<WebhookView | undefined> {
      return await knex.transaction(async (trx) => {
        // Creations of one person come one after another, so that the count holds.
        await trx('users').where({ id: webhook.userId }).forUpdate().select('id')
        const counted = await trx('webhooks').where({ user_id: webhook.userId }).count<{ count: string }[]>('*')
        if (Number(counted[0]?.count) >= most) return undefined
        const { userId, ...fields } = webhook
        const [row] = await trx('webhooks')
          .insert({ id: newId(), user_id: userId, ...fields })
          .returning(columns)
        return toView(row)
      })
    },

    async find(userId: string, id: string): Promise<WebhookView | undefined> {
      const row = await knex('webhooks').where({ id, user_id: userId }).first(columns)
      return row && toView(row)
    },

    /** Newest first. */
    async list(
      userId: string,
      { before, limit }: { before?: string | undefined; limit: number }
    ): Promise<WebhookView[]> {
      const query = knex('webhooks').where({ user_id: userId }).orderBy('id', 'desc').limit(limit).select(columns)
      if (before !== undefined) void query.where('id', '<', before)
      return (await query).map(toView)
    },

    /** @param check sees the row locked, before the change; throws to refuse it */
    async update(
      userId: string,
      id: string,
      { url, events, secret, enabled }: WebhookPatch,
      check: (current: WebhookView) => void
    ): Promise<WebhookView | undefined> {
      return await knex.transaction(async (trx) => {
        const current = await trx('webhooks').where({ id, user_id: userId }).forUpdate().first(columns)
        if (!current) return undefined
        check(toView(current))
        const changes = {
          ...(url === undefined ? {} : { url }),
          ...(events === undefined ? {} : { events }),
          ...(secret === undefined ? {} : { secret }),
          ...(enabled === undefined ? {} : { enabled, disabled_reason: null })
        }
        if (Object.keys(changes).length === 0) return toView(current)
        const [row] = await trx('webhooks')
          .where({ id })
          .update({ ...changes, updated_at: trx.fn.now() })
          .returning(columns)
        return toView(row)
      })
    },

    /** @param check as for `update` */
    async remove(userId: string, id: string, check: (current: WebhookView) => void): Promise<boolean> {
      return await knex.transaction(async (trx) => {
        const current = await trx('webhooks').where({ id, user_id: userId }).forUpdate().first(columns)
        if (!current) return false
        check(toView(current))
        await trx('webhooks').where({ id }).delete()
        return true
      })
    },

    /** What these people want to hear. */
    async enabledOf(userIds: string[]): Promise<{ id: string; userId: string; events: string[] }[]> {
      const rows = await knex('webhooks')
        .whereIn('user_id', userIds)
        .where({ enabled: true })
        .select('id', 'user_id', 'events')
      return rows.map(({ id, user_id: userId, events }) => ({ id, userId, events }))
    },

    /** Notes whether attempts of a webhook take long, which gives it one place or takes it back. */
    async setSlow(id: string, slow: boolean): Promise<void> {
      await knex('webhooks').where({ id }).whereNot({ slow }).update({ slow })
    },

    /** Stops a webhook that said it is gone. */
    async disable(id: string, reason: 'gone'): Promise<void> {
      await knex('webhooks')
        .where({ id, enabled: true })
        .update({ enabled: false, disabled_reason: reason, updated_at: knex.fn.now() })
    }
  }
}
