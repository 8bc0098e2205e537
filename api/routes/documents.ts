import type { Records } from '../../lib/records/records.ts'
import {
  documentCreateSchema,
  documentPatchSchema,
  documentQuerySchema,
  documentSchema
} from '../../lib/schemas/document.ts'
import type { Endpoint } from '../endpoint.ts'
import { recordEndpoints } from '../record-endpoints.ts'

type Needs = { records: Pick<Records, 'run' | 'documents'> }

/** A document of 5 MiB takes more as JSON. */
export const documentBodyBytes = 10 * 1024 * 1024

/** Documents: of a course, written by its owner, or global, written by administrators. */
export function documentEndpoints({ records: { run, documents } }: Needs): Endpoint[] {
  return recordEndpoints({
    path: '/documents',
    tag: 'Documents',
    one: 'a document',
    schemas: {
      create: documentCreateSchema,
      patch: documentPatchSchema,
      query: documentQuerySchema,
      view: documentSchema
    },
    bodyLimitBytes: documentBodyBytes,
    service: { ...documents, create: (actor, input) => run((trx) => documents.create(trx, actor, input)) }
  })
}
