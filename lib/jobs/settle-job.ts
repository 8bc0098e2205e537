import type { Knex } from 'knex'
import type { Budgets } from '../budgets/budgets.ts'
import type { RefusalEvents } from '../events/refusal-events.ts'
import type { AuditStore } from '../store/audit/audits.ts'
import type { JobEnd } from '../store/jobs/runs.ts'
import type { JobStore } from '../store/jobs/jobs.ts'
import type { Ledger } from '../store/money/ledger.ts'
import type { JobEvents } from './job-events.ts'

export type SettleJob = (trx: Knex.Transaction, id: string, status: JobEnd['status']) => Promise<void>

/** The error of a job that its user's budget, or what its request would spend at most, had no room for. */
const refusedByBudget = 'budget_exhausted'

/**
 * What every last state brings along, in its transaction: the event with the job as everybody sees it, the audit
 * row's figures, the settlement of what it had reserved, and the end of the answers that were kept for a later run.
 * A job that failed for want of budget was a request refused, as one whose admission the budget refuses: its audit row
 * says so, and so does an event.
 */
export function createSettleJob({
  store,
  ledger,
  budgets,
  audits,
  news,
  tellRefusals
}: {
  store: JobStore
  ledger: Ledger
  budgets: Budgets
  audits: AuditStore
  news: JobEvents
  tellRefusals: RefusalEvents
}): SettleJob {
  return async (trx, id, status) => {
    const job = await store.findForEvent(trx, id)
    const row = await store.findAdmission(trx, id)
    if (!job || !row) return
    // Calls before their shares: the order in which settlements lock them.
    await ledger.abandonEarlier(trx, id)
    await ledger.dropResponses(trx, id)
    await budgets.settleJob(trx, id)
    const isRefused = status === 'failed' && job.error?.code === refusedByBudget
    if (row.decisionId) {
      await audits.completeByJob(trx, {
        decisionId: row.decisionId,
        decisionAt: row.decisionAt,
        jobId: id,
        userId: row.userId,
        action: job.action,
        latencyMs: job.startedAt && job.finishedAt ? Date.parse(job.finishedAt) - Date.parse(job.createdAt) : null,
        refusedBy: isRefused ? 'budget' : null
      })
    }
    if (isRefused && job.origin === 'user') {
      const at = job.finishedAt ? Date.parse(job.finishedAt) : Date.now()
      await tellRefusals(trx, row.userId, [{ action: job.action, at }])
    }
    await news(trx, status, job, row.userId)
  }
}
