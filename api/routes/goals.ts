import type { Records } from '../../lib/records/records.ts'
import { goalCreateSchema, goalPatchSchema, goalQuerySchema, goalSchema } from '../../lib/schemas/goal.ts'
import type { Endpoint } from '../endpoint.ts'
import { recordEndpoints } from '../record-endpoints.ts'

type Needs = { records: Pick<Records, 'run' | 'goals'> }

/** Goals: each its user's own. Deleting one deletes its tasks. */
export function goalEndpoints({ records: { run, goals } }: Needs): Endpoint[] {
  return recordEndpoints({
    path: '/goals',
    tag: 'Goals',
    one: 'a goal',
    schemas: { create: goalCreateSchema, patch: goalPatchSchema, query: goalQuerySchema, view: goalSchema },
    service: { ...goals, create: (actor, input) => run((trx) => goals.create(trx, actor, input)) }
  })
}
