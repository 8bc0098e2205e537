import type { Knex } from 'knex'
import type { Budgets } from '../budgets/budgets.ts'
import type { RefusalNews } from '../events/refusal-news.ts'
import type { AuditStore } from '../store/audits.ts'
import type { JobEnd } from '../store/job-runs.ts'
import type { JobStore } from '../store/jobs.ts'
import type { Ledger } from '../store/ledger.ts'
import type { JobNews } from './events.ts'

export type EndJob = (trx: Knex.Transaction, id: string, status: JobEnd['status']) => Promise<void>

/** The error of a job that its user's budget, or what its request would spend at most, had no room for. */
const refusedByBudget = 'budget_exhausted'

/**
 * What every last state brings along, in its transaction: the event with the job as everybody sees it, the audit
 * row's figures, the settlement of what it had reserved, and the end of the answers that were kept for a later run.
 * A job that failed for want of budget was a request refused, as one whose admission the budget refuses: its audit row
 * says so, and so does an event.
 */
export function createEndJob({
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
  news: JobNews
  tellRefusals: RefusalNews
}): EndJob {
  return async (trx, id, status) => {
    const job = await store.findForNews(trx, id)
    const row = await trx('jobs').where({ id }).first('user_id', 'decision_id', 'decision_at')
    if (!job || !row) return
    // Calls before their shares: the order in which settlements lock them.
    await ledger.abandonEarlier(trx, id)
    await ledger.dropResponses(trx, id)
    await budgets.settleJob(trx, id)
    const isRefused = status === 'failed' && job.error?.code === refusedByBudget
    if (row.decision_id) {
      await audits.completeByJob(trx, {
        decisionId: row.decision_id,
        decisionAt: row.decision_at,
        jobId: id,
        userId: row.user_id,
        action: job.action,
        latencyMs: job.startedAt && job.finishedAt ? Date.parse(job.finishedAt) - Date.parse(job.createdAt) : null,
        refusedBy: isRefused ? 'budget' : null
      })
    }
    if (isRefused && job.origin === 'user') {
      const at = job.finishedAt ? Date.parse(job.finishedAt) : Date.now()
      await tellRefusals(trx, row.user_id, [{ action: job.action, at }])
    }
    await news(trx, status, job, row.user_id)
  }
}
