import type { Records } from '../../lib/records/records.ts'
import type { Endpoint } from '../endpoint.ts'
import { codeSnapshotEndpoints } from './code-snapshots.ts'
import { courseEndpoints } from './courses.ts'
import { documentEndpoints } from './documents.ts'
import { enrollmentEndpoints } from './enrollments.ts'
import { eventEndpoints } from './events.ts'
import { goalEndpoints } from './goals.ts'
import { taskEndpoints } from './tasks.ts'

/** The routes of all records but users. */
export function allRecordEndpoints(needs: { records: Records }): Endpoint[] {
  return [
    ...courseEndpoints(needs),
    ...enrollmentEndpoints(needs),
    ...goalEndpoints(needs),
    ...taskEndpoints(needs),
    ...codeSnapshotEndpoints(needs),
    ...documentEndpoints(needs),
    ...eventEndpoints(needs)
  ]
}
