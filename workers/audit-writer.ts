import { createHash } from 'node:crypto'
import type { Knex } from 'knex'
import type { EventLog } from '../lib/events/log.ts'
import type { DecisionRecord } from '../lib/gate/decision.ts'
import type { AuditStore } from '../lib/store/audits.ts'
import type { Transaction } from '../lib/store/transaction.ts'

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
      const id = minuteId(decision.userId, decision.action, decision.at)
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

const minuteMs = 60_000

/** A UUID v8 (RFC 9562) that is the same for all refusals of a user and action within one minute. */
function minuteId(userId: string, action: string, atMs: number): string {
  const hash = createHash('sha256')
    .update(`${userId} ${action} ${Math.floor(atMs / minuteMs)}`)
    .digest()
  hash[6] = ((hash[6] as number) & 0x0f) | 0x80
  hash[8] = ((hash[8] as number) & 0x3f) | 0x80
  const hex = hash.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}
