import type { Knex } from 'knex'
import type { ChangeableType } from '../../schemas/chat.ts'

/** One record that a job created or changed. */
export type JobChange = {
  type: ChangeableType
  id: string
  created: boolean
  /** the fields that were changed, as they were; `null` for a new record, and where they were too large to be kept */
  before: Record<string, unknown> | null
  afterHash: Buffer
}

/** The same with what became of it when the job was undone; `outcome` is `undefined` until then. */
export type StoredChange = JobChange & { ordinal: number; outcome: Outcome | undefined }
export type Outcome = { kind: 'undone' } | { kind: 'kept'; reason: string }

export type JobChangeStore = ReturnType<typeof createJobChangeStore>

export function createJobChangeStore() {
  return {
    async insert(trx: Knex.Transaction, jobId: string, changes: JobChange[]): Promise<void> {
      if (changes.length === 0) return
      await trx('job_changes').insert(
        changes.map(({ type, id, created, before, afterHash }, ordinal) => ({
          job_id: jobId,
          ordinal,
          type,
          record_id: id,
          created,
          before: before === null ? null : JSON.stringify(before),
          after_hash: afterHash
        }))
      )
    },

    /** The changes of a job in the order in which they were made, locked: who undoes it a second time waits for the first. */
    async lock(trx: Knex.Transaction, jobId: string): Promise<StoredChange[]> {
      const rows = await trx('job_changes').where({ job_id: jobId }).orderBy('ordinal').forUpdate()
      return rows.map((row) => ({
        ordinal: row.ordinal,
        type: row.type,
        id: row.record_id,
        created: row.created,
        before: row.before,
        afterHash: row.after_hash,
        outcome: outcomeOf(row)
      }))
    },

    async settle(
      trx: Knex.Transaction,
      jobId: string,
      settled: { ordinal: number; outcome: Outcome }[]
    ): Promise<void> {
      if (settled.length === 0) return
      await trx.raw(
        `update job_changes
         set undone_at = now(), kept_because = settled.reason
         from jsonb_to_recordset(?::jsonb) as settled (ordinal integer, reason text)
         where job_changes.job_id = ? and job_changes.ordinal = settled.ordinal`,
        [
          JSON.stringify(
            settled.map(({ ordinal, outcome }) => ({
              ordinal,
              reason: outcome.kind === 'kept' ? outcome.reason : null
            }))
          ),
          jobId
        ]
      )
    }
  }
}

function outcomeOf(row: { undone_at: Date | null; kept_because: string | null }): Outcome | undefined {
  if (row.undone_at === null) return undefined
  return row.kept_because === null ? { kind: 'undone' } : { kind: 'kept', reason: row.kept_because }
}
