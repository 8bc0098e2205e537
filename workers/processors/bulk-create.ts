import { setImmediate } from 'node:timers/promises'
import { JobError } from '../../lib/errors/job-error.ts'
import type { Bulk, CheckedRecord } from '../../lib/records/bulk.ts'
import type { BulkInput } from '../../lib/schemas/bulk.ts'
import type { UserStore } from '../../lib/store/people/users.ts'
import type { Processor } from '../processor.ts'

type Needs = { bulk: Bulk; users: Pick<UserStore, 'find'> }

/** Records between two looks at the signal: long texts take a while, and a worker has other jobs. */
const stride = 25

/**
 * Checks every record, then creates all that are right with the job's end.
 * Safe to run twice: until that transaction commits nothing is written.
 */
export function bulkCreateProcessor({ bulk, users }: Needs): Processor<BulkInput> {
  return async (run) => {
    const { input } = run
    const total = Object.values(input).reduce((sum, records) => sum + (records?.length ?? 0), 0)
    const records: CheckedRecord[] = []
    run.progress(0, total)
    for (const record of bulk.check(input)) {
      records.push(record)
      if (records.length % stride === 0) {
        run.progress(records.length, total)
        await setImmediate()
        run.signal.throwIfAborted()
      }
    }
    run.progress(total, total)
    const user = await users.find(run.userId)
    if (!user) throw new JobError('user_not_found', 'the user of this job was deleted', { retryable: false })
    return async (trx) => await bulk.create(trx, { id: user.id, role: user.role }, records)
  }
}
