import type { Knex } from 'knex'
import type { Budgets } from '../budgets/budgets.ts'
import type { AuditStore } from '../store/audits.ts'
import type { JobEnd, JobStore } from '../store/jobs.ts'
import type { Ledger } from '../store/ledger.ts'
import type { JobNews } from './events.ts'

export type EndJob = (trx: Knex.Transaction, id: string, status: JobEnd['status']) => Promise<void>

/**
 * What every last state brings along, in its transaction: the event with the job as everybody sees it, the audit
 * row's figures, the settlement of what it had reserved, and the end of the answers that were kept for a later run.
 */
export function createEndJob({
  store,
  ledger,
  budgets,
  audits,
  news
}: {
  store: JobStore
  ledger: Ledger
  budgets: Budgets
  audits: AuditStore
  news: JobNews
}): EndJob {
  return async (trx, id, status) => {
    const job = await store.findForNews(trx, id)
    const row = await trx('jobs').where({ id }).first('user_id', 'decision_id', 'decision_at')
    if (!job || !row) return
    // Calls before their shares: the order in which settlements lock them.
    await ledger.abandonEarlier(trx, id)
    await ledger.dropResponses(trx, id)
    await budgets.settleJob(trx, id)
    if (row.decision_id) {
      await audits.completeByJob(trx, {
        decisionId: row.decision_id,
        decisionAt: row.decision_at,
        jobId: id,
        userId: row.user_id,
        action: job.action,
        latencyMs: job.startedAt && job.finishedAt ? Date.parse(job.finishedAt) - Date.parse(job.createdAt) : null
      })
    }
    await news(trx, status, job, row.user_id)
  }
}
