import type { Records } from '../../lib/records/records.ts'
import {
  codeSnapshotCreateSchema,
  codeSnapshotPatchSchema,
  codeSnapshotQuerySchema,
  codeSnapshotSchema
} from '../../lib/schemas/code-snapshot.ts'
import type { Endpoint } from '../endpoint.ts'
import { recordEndpoints } from '../record-endpoints.ts'

type Needs = { records: Pick<Records, 'run' | 'codeSnapshots'> }

/** Code as it was at one moment, of a task or by itself: each its user's own. */
export function codeSnapshotEndpoints({ records: { run, codeSnapshots } }: Needs): Endpoint[] {
  return recordEndpoints({
    path: '/code-snapshots',
    tag: 'Code snapshots',
    one: 'a code snapshot',
    schemas: {
      create: codeSnapshotCreateSchema,
      patch: codeSnapshotPatchSchema,
      query: codeSnapshotQuerySchema,
      view: codeSnapshotSchema
    },
    service: { ...codeSnapshots, create: (actor, input) => run((trx) => codeSnapshots.create(trx, actor, input)) }
  })
}
