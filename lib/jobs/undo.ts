import type { Actor } from '../access/actor.ts'
import { AppError, notFound } from '../errors/app-error.ts'
import type { Records } from '../records/records.ts'
import { isUuid } from '../schemas/page.ts'
import type { UndoResult } from '../schemas/undo.ts'
import type { JobChangeStore, Outcome } from '../store/jobs/changes.ts'
import type { JobStore } from '../store/jobs/jobs.ts'

export type UndoJob = ReturnType<typeof createUndo>

/** Takes back what a chat changed. */
export function createUndo({
  jobs,
  changes: store,
  records
}: {
  jobs: Pick<JobStore, 'find'>
  changes: JobChangeStore
  records: Pick<Records, 'run' | 'takingBack'>
}) {
  /**
   * All of it in one transaction. What became of each record is kept with the job, so repeating it answers the same.
   * @throws AppError 404 for an unknown or foreign job, administrators included; 409 when it is no chat, or has not ended
   */
  return async function undo(actor: Actor, jobId: string): Promise<UndoResult> {
    const job = isUuid(jobId) ? await jobs.find(jobId, actor.id) : undefined
    if (!job) throw notFound('the job')
    if (job.action !== 'chat_completion') throw new AppError('conflict', 'only what a chat changed can be taken back')
    if (job.status === 'queued' || job.status === 'active') throw new AppError('conflict', 'the job has not ended')
    return await records.run(async (trx) => {
      const changes = await store.lock(trx, jobId)
      const open = changes.filter(({ outcome }) => outcome === undefined)
      const outcomes = await records.takingBack.takeBack(trx, { id: actor.id, role: actor.role }, open)
      const settled = open.map(({ ordinal }, at) => ({ ordinal, outcome: outcomes[at] as Outcome }))
      await store.settle(trx, jobId, settled)
      const all = changes.map(({ ordinal, type, id, outcome }) => ({
        record: { type, id },
        outcome: outcome ?? (settled.find((one) => one.ordinal === ordinal) as { outcome: Outcome }).outcome
      }))
      return {
        undone: all.flatMap(({ record, outcome }) => (outcome.kind === 'undone' ? [record] : [])),
        kept: all.flatMap(({ record, outcome }) =>
          outcome.kind === 'kept' ? [{ ...record, reason: outcome.reason }] : []
        )
      }
    })
  }
}
