import { largeResultBytes, withoutLargeResult } from '../jobs/large-result.ts'
import { unpackResult } from '../jobs/packed-result.ts'

/** Columns of an event `e` whose job is joined as `j`. */
export const jobResultColumns = `
  e.job_id, case when pg_column_size(j.result) <= ${largeResultBytes} then j.result end as job_result,
  j.id is null or pg_column_size(j.result) > ${largeResultBytes} as is_result_away`

export type JobResultColumns = { job_id: string | null; job_result: unknown; is_result_away: boolean | null }

/** The data of an event with the result of its job; without it where that is large, or the job is gone. */
export function withJobResult(data: unknown, row: JobResultColumns): unknown {
  if (row.job_id === null || typeof data !== 'object' || data === null) return data
  if (row.is_result_away) return { ...data, result: null, resultOmitted: true }
  return withoutLargeResult({ ...data, result: unpackResult(row.job_result ?? null) })
}
