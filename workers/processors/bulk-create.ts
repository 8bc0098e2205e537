import { setImmediate } from 'node:timers/promises'
import type { Bulk, CheckedRecord } from '../../lib/records/bulk.ts'
import type { ProcessorOf } from '../processor.ts'

/** Records between two looks at the signal: long texts take a while, and a worker has other jobs. */
const stride = 25

/**
 * Checks every record, then creates all that are right with the job's end.
 * Safe to run twice: until that transaction commits nothing is written.
 */
export function bulkCreateProcessor({ bulk }: { bulk: Bulk }): ProcessorOf<'bulk_create'> {
  return async (run) => {
    const { input, user } = run
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
    return async (trx) => await bulk.create(trx, user, records)
  }
}
