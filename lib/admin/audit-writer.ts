import type { Knex } from 'knex'
import type { EventLog } from '../events/log.ts'
import type { DecisionRecord } from '../gate/decision.ts'
import type { AuditStore } from '../store/audits.ts'
import type { Transaction } from '../store/transaction.ts'
import { toldNews } from '../store/told-news.ts'

const type = 'rate_limit.blocked'
const minuteMs = 60_000

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
  return async (decisions) => {
    await transaction.transact(async (trx) => {
      await audits.recordDecisions(trx, decisions)
      await tellRefusals(trx, decisions)
    })
  }

  async function tellRefusals(trx: Knex.Transaction, decisions: DecisionRecord[]): Promise<void> {
    const refusals = Map.groupBy(decisions.filter(isRefusal), ({ userId }) => userId)
    if (refusals.size === 0) return
    const known = await trx('users')
      .whereIn('id', [...refusals.keys()])
      .orderBy('id')
      .select('id')
    for (const { id } of known as { id: string }[]) await tellRefusalsOf(trx, id, refusals.get(id) as Refusal[])
  }

  /** One that came within a minute of one that was told, before or after it, is not told. */
  async function tellRefusalsOf(trx: Knex.Transaction, userId: string, refusals: Refusal[]): Promise<void> {
    const told = (await toldNews(trx, type, userId)).map(({ action, at }) => ({ action, at: Date.parse(String(at)) }))
    for (const { action, at } of refusals.toSorted((a, b) => a.at - b.at)) {
      if (told.some((other) => other.action === action && Math.abs(other.at - at) < minuteMs)) continue
      told.push({ action, at })
      await events.append(trx, {
        type,
        userId,
        subject: userId,
        data: { userId, action, at: new Date(at).toISOString() }
      })
    }
  }
}

type Refusal = DecisionRecord & { userId: string }

const isRefusal = (decision: DecisionRecord): decision is Refusal =>
  decision.outcome === 'blocked' && decision.userId !== null
