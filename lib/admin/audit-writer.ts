import type { Knex } from 'knex'
import type { EventLog } from '../events/log.ts'
import type { DecisionRecord } from '../gate/decision.ts'
import type { AuditStore } from '../store/audits.ts'
import type { Transaction } from '../store/transaction.ts'
import { stableId } from './stable-id.ts'

const minuteMs = 60_000

/**
 * Stores a batch of the gate's decisions, each as exactly one audit row, and tells of refusals: at most once a minute
 * for a user and action, which the event's id makes sure of however many writers there are.
 */
export function createAuditWriter({
  transaction,
  audits,
  events
}: {
  transaction: Transaction
  audits: AuditStore
  events: EventLog
}): (decisions: DecisionRecord[]) => Promise<void> {
  return async (decisions) => {
    await transaction.transact(async (trx) => {
      await audits.recordDecisions(trx, decisions)
      await tellRefusals(trx, decisions)
    })
  }

  async function tellRefusals(trx: Knex.Transaction, decisions: DecisionRecord[]): Promise<void> {
    const refusals = new Map<string, DecisionRecord & { userId: string }>()
    for (const decision of decisions) {
      if (decision.outcome !== 'blocked' || decision.userId === null) continue
      const id = stableId(decision.userId, decision.action, Math.floor(decision.at / minuteMs))
      if (!refusals.has(id)) refusals.set(id, { ...decision, userId: decision.userId })
    }
    if (refusals.size === 0) return
    const known = await trx('users')
      .whereIn('id', [...new Set([...refusals.values()].map(({ userId }) => userId))])
      .select('id')
    const ids = new Set(known.map((row) => row.id as string))
    for (const [id, { userId, action, at }] of [...refusals].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!ids.has(userId)) continue
      await events.append(trx, {
        id,
        type: 'rate_limit.blocked',
        userId,
        subject: userId,
        data: { userId, action, at: new Date(at).toISOString() }
      })
    }
  }
}
