import type { Knex } from 'knex'
import type { Budgets } from '../budgets/budgets.ts'
import type { RefusalEvents } from '../events/refusal-events.ts'
import type { JobView } from '../schemas/job.ts'
import type { AuditedJob, AuditStore } from '../store/audit/audits.ts'
import type { EndedJob, JobStore } from '../store/jobs/jobs.ts'
import type { JobEnd } from '../store/jobs/runs.ts'
import { unused } from '../store/jobs/view.ts'
import type { ClosedShares, Ledger } from '../store/money/ledger.ts'
import type { JobEvents } from './job-events.ts'

/** Jobs of one transaction that have come to the same end. */
export type SettleJobs = (trx: Knex.Transaction, ids: readonly string[], status: JobEnd['status']) => Promise<void>

/** The error of a job that its user's budget, or what its request would spend at most, had no room for. */
const refusedByBudget = 'budget_exhausted'

const noCalls: ClosedShares = { usage: unused, spentPico: 0n, model: null }

/**
 * What every last state brings along, in its transaction: the event with the job as everybody sees it, the audit
 * row's figures, the settlement of what it had reserved, and the end of the answers that were kept for a later run.
 * A job that failed for want of budget was a request refused, as one whose admission the budget refuses: its audit row
 * says so, and so does an event. Each of these is one statement for all jobs.
 */
export function createSettleJobs({
  store,
  ledger,
  budgets,
  audits,
  jobEvents,
  publishRefusals
}: {
  store: JobStore
  ledger: Ledger
  budgets: Budgets
  audits: AuditStore
  jobEvents: JobEvents
  publishRefusals: RefusalEvents
}): SettleJobs {
  return async (trx, ids, status) => {
    const ended = await store.findEnded(trx, ids)
    // Calls before their shares: the order in which settlements lock them.
    const again = ended.filter(({ run }) => run > 1)
    if (again.length > 0)
      await ledger.abandonEarlier(
        trx,
        again.map(({ id }) => id)
      )
    const closed = await ledger.closeShares(trx, ids)
    const jobs = ended.map((job) => {
      const shares = closed.get(job.id) ?? noCalls
      return { ...job, ...shares, view: job.viewWith(shares.usage) }
    })
    await budgets.settleJobs(trx, jobs)
    await audits.completeByJobs(
      trx,
      jobs.flatMap(({ decision, ...job }) => (decision === null ? [] : audited(job, decision)))
    )
    for (const { userId, view } of jobs.filter(isRefused)) {
      if (view.origin !== 'user') continue
      const at = view.finishedAt ? Date.parse(view.finishedAt) : Date.now()
      await publishRefusals(trx, userId, [{ action: view.action, at }])
    }
    await jobEvents(trx, status, jobs)
  }
}

type Ended = Omit<EndedJob, 'decision'> & ClosedShares & { view: JobView }

const isRefused = ({ view }: Pick<Ended, 'view'>): boolean =>
  view.status === 'failed' && view.error?.code === refusedByBudget

function audited(job: Ended, decision: { id: string; at: Date }): AuditedJob {
  const { view, usage, model } = job
  return {
    id: job.id,
    decision,
    userId: job.userId,
    action: view.action,
    latencyMs: view.startedAt && view.finishedAt ? Date.parse(view.finishedAt) - Date.parse(view.createdAt) : null,
    model,
    promptTokens: usage.prompt_tokens,
    completionTokens: usage.completion_tokens,
    costPico: usage.cost_pico,
    refusedBy: isRefused(job) ? 'budget' : null
  }
}
