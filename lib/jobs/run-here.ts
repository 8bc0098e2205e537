import type { Knex } from 'knex'
import { newId } from '../ids.ts'
import type { AiAction } from '../actions/actions.ts'
import type { JobStore } from '../store/jobs/jobs.ts'
import type { Transaction } from '../store/transaction.ts'
import type { UsageTracker } from '../usage/tracker.ts'
import { JobError } from '../errors/job-error.ts'
import type { createLifecycle } from './lifecycle.ts'

/**
 * Work of an operator's command as a job of its own, so that its model calls are booked and its effect commits with its
 * end, as everywhere. It goes through no queue: whoever calls this is the worker, and tells by heartbeat that it lives.
 */
export type RunHere = <T>(
  job: { userId: string; action: AiAction; input: unknown },
  prepare: () => Promise<(trx: Knex.Transaction) => Promise<T>>
) => Promise<T>

/**
 * @param worker the name under which the heartbeat of this process goes
 * @param command what the operator called, for the owners of jobs that it could not do
 */
export function createRunHere({
  store,
  transaction,
  lifecycle,
  tracker,
  worker,
  command
}: {
  store: JobStore
  transaction: Transaction
  lifecycle: ReturnType<typeof createLifecycle>
  tracker: UsageTracker
  worker: string
  command: string
}): RunHere {
  return async ({ userId, action, input }, prepare) => {
    const id = newId()
    await transaction.transact((trx) =>
      store.insert(trx, { id, userId, action, origin: 'system', input, maxAttempts: 1 })
    )
    try {
      const start = await lifecycle.start(id, worker)
      if (start.kind !== 'started') {
        throw new JobError('not_started', 'the budget of its owner is used up', { retryable: true })
      }
      const { run } = start.job
      const effect = await tracker.runInScope({ jobId: id, userId, action, run }, prepare)
      const ends: Awaited<ReturnType<typeof effect>>[] = []
      const committed = await lifecycle.complete(
        id,
        run,
        async (trx) => {
          ends[0] = await effect(trx)
          return ends[0]
        },
        null
      )
      if (!committed) throw new JobError('run_lost', 'the job was ended by somebody else', { retryable: false })
      return ends[0] as Awaited<ReturnType<typeof effect>>
    } catch (error) {
      // Nobody waits for it, and a failure would be news to the owner of the record.
      const why = error instanceof JobError ? error.message : 'an error of the platform'
      await lifecycle.cancelOpen(id, `cancelled by ${command}: ${why}`)
      throw error
    }
  }
}
