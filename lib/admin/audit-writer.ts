import type { Knex } from 'knex'
import { createRefusalEvents } from '../events/refusal-events.ts'
import type { EventLog } from '../events/log.ts'
import type { DecisionRecord } from '../gate/decision.ts'
import type { AuditStore } from '../store/audit/audits.ts'
import { existingUsers } from '../store/people/users.ts'
import type { Transaction } from '../store/transaction.ts'

/**
 * Stores a batch of the gate's decisions, each as exactly one audit row, and tells of refusals: at most once a minute
 * for a user and action, however many writers there are.
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
  const tell = createRefusalEvents({ events })
  return async (decisions) => {
    await transaction.transact(async (trx) => {
      await audits.recordDecisions(trx, decisions)
      await tellRefusals(trx, decisions)
    })
  }

  async function tellRefusals(trx: Knex.Transaction, decisions: DecisionRecord[]): Promise<void> {
    const refusals = Map.groupBy(decisions.filter(isRefusal), ({ userId }) => userId)
    if (refusals.size === 0) return
    for (const id of await existingUsers(trx, [...refusals.keys()])) await tell(trx, id, refusals.get(id) as Refusal[])
  }
}

type Refusal = DecisionRecord & { userId: string }

const isRefusal = (decision: DecisionRecord): decision is Refusal =>
  decision.outcome === 'blocked' && decision.userId !== null
