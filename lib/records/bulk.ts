import type { Knex } from 'knex'
import { AppError, type FieldError } from '../errors/app-error.ts'
import {
  type BulkInput,
  type BulkList,
  type BulkResult,
  bulkLists,
  bulkRecordSchemas,
  clientIdSchema
} from '../schemas/bulk.ts'
import { fieldErrors } from '../schemas/field-errors.ts'
import { houseMessage } from '../schemas/messages.ts'
import type { ClientIdStore, RecordType } from '../store/records/client-ids.ts'
import type { CodeSnapshots } from './code-snapshots.ts'
import type { Courses } from './courses.ts'
import type { Documents } from './documents.ts'
import type { Goals } from './goals.ts'
import type { Tasks } from './tasks.ts'
import type { Person } from './viewer.ts'
import type { Outcome } from './record-writer.ts'

/** A record of a bulk call after the check of its own shape. */
export type CheckedRecord = {
  list: BulkList
  type: RecordType
  index: number
  clientId?: string
  /** what its create schema made of it, and `…ClientId` references; absent when the shape is wrong */
  input?: Record<string, unknown>
  errors?: FieldError[]
}

type End = { created: string } | { existing: string } | { rejected: FieldError[] }

/** Which field of a list names another record by its clientId, and the field that its id then stands in. */
const references: Partial<Record<BulkList, { by: string; field: string; type: RecordType }>> = {
  goals: { by: 'courseClientId', field: 'courseId', type: 'course' },
  tasks: { by: 'goalClientId', field: 'goalId', type: 'goal' },
  codeSnapshots: { by: 'taskClientId', field: 'taskId', type: 'task' },
  documents: { by: 'courseClientId', field: 'courseId', type: 'course' }
}

export type Bulk = ReturnType<typeof createBulk>

export function createBulk({
  clientIds,
  ...services
}: {
  clientIds: ClientIdStore
  courses: Courses
  goals: Goals
  tasks: Tasks
  codeSnapshots: CodeSnapshots
  documents: Documents
}) {
  type CreateMany = (trx: Knex.Transaction, person: Person, inputs: unknown[]) => Promise<Outcome<{ id: string }>[]>
  const createMany = Object.fromEntries(
    Object.entries(services).map(([list, service]) => [list, service.createMany as CreateMany])
  ) as Record<BulkList, CreateMany>

  /** Ids by clientId, for all names of one type that the call mentions. */
  async function knownNames(trx: Knex.Transaction, person: Person, records: CheckedRecord[]) {
    const names = new Map<RecordType, Set<string>>(Object.values(bulkLists).map((type) => [type, new Set()]))
    for (const { list, type, clientId, input } of records) {
      if (clientId !== undefined) names.get(type)?.add(clientId)
      const reference = references[list]
      const named = reference && input?.[reference.by]
      if (reference && typeof named === 'string') names.get(reference.type)?.add(named)
    }
    const known = new Map<RecordType, Map<string, string>>()
    for (const [type, wanted] of names) {
      known.set(type, wanted.size > 0 ? await clientIds.find(trx, person.id, type, wanted) : new Map())
    }
    return known as { get(type: RecordType): Map<string, string> }
  }

  return {
    /** Checks the shape of every record, in the order in which the lists are created. */
    *check(input: BulkInput): Generator<CheckedRecord> {
      for (const [list, type] of Object.entries(bulkLists) as [BulkList, RecordType][]) {
        for (const [index, record] of (input[list] ?? []).entries()) {
          const name = clientIdSchema.safeParse(record.clientId)
          const parsed = bulkRecordSchemas[list].safeParse(record, { error: houseMessage })
          yield {
            list,
            type,
            index,
            ...(name.success ? { clientId: name.data } : {}),
            ...(parsed.success ? { input: parsed.data } : { errors: fieldErrors(parsed.error) })
          }
        }
      }
    },

    /**
     * Creates what can be created, each list in a few statements; calls of the same person follow one another.
     * A wrong record is told in the result and keeps none of the others away.
     */
    async create(trx: Knex.Transaction, person: Person, records: CheckedRecord[]): Promise<BulkResult> {
      await clientIds.lockUser(trx, person.id)
      const known = await knownNames(trx, person, records)
      const ends = new Map<CheckedRecord, End>()

      for (const list of Object.keys(bulkLists) as BulkList[]) {
        let waiting = records.filter((record) => record.list === list)
        const names = known.get(bulkLists[list])
        // Of records with the same clientId the first that is right is created, so the later ones wait for it.
        while (waiting.length > 0) {
          const { now, later } = firstOfEachName(waiting)
          const ready: { record: CheckedRecord; input: Record<string, unknown> }[] = []
          for (const record of now) {
            const existing = record.clientId === undefined ? undefined : names.get(record.clientId)
            const resolved = existing === undefined ? resolve(record, known) : undefined
            if (existing !== undefined) ends.set(record, { existing })
            else if (Array.isArray(resolved)) ends.set(record, { rejected: resolved })
            else if (resolved) ready.push({ record, input: resolved })
          }
          const created: { clientId: string; recordId: string }[] = []
          const inputs = ready.map(({ input }) => input)
          const outcomes = ready.length > 0 ? await createMany[list](trx, person, inputs) : []
          for (const [place, { record }] of ready.entries()) {
            const outcome = outcomes[place] as Outcome<{ id: string }>
            if (outcome instanceof AppError) {
              ends.set(record, { rejected: outcome.extras.errors ?? [{ path: '', message: outcome.message }] })
            } else {
              ends.set(record, { created: outcome.id })
              if (record.clientId !== undefined) created.push({ clientId: record.clientId, recordId: outcome.id })
            }
          }
          for (const { clientId, recordId } of created) names.set(clientId, recordId)
          await clientIds.insert(trx, person.id, bulkLists[list], created)
          waiting = later
        }
      }
      return toResult(records, ends)
    }
  }
}

function firstOfEachName(records: CheckedRecord[]): { now: CheckedRecord[]; later: CheckedRecord[] } {
  const names = new Set<string>()
  const now: CheckedRecord[] = []
  const later: CheckedRecord[] = []
  for (const record of records) {
    if (record.clientId !== undefined && names.has(record.clientId)) later.push(record)
    else now.push(record)
    if (record.clientId !== undefined) names.add(record.clientId)
  }
  return { now, later }
}

/** The input of the record's service, or what is wrong with it. */
function resolve(
  { list, input, errors }: CheckedRecord,
  known: { get(type: RecordType): Map<string, string> }
): Record<string, unknown> | FieldError[] {
  if (!input) return errors ?? []
  const { clientId: _, ...rest } = input
  const reference = references[list]
  if (!reference) return rest
  const { [reference.by]: name, ...fields } = rest
  if (typeof name !== 'string') return fields
  const id = known.get(reference.type).get(name)
  if (id === undefined) {
    return [{ path: reference.by, message: 'is no clientId of a record that this call or an earlier one created' }]
  }
  return { ...fields, [reference.field]: id }
}

function toResult(records: CheckedRecord[], ends: Map<CheckedRecord, End>): BulkResult {
  const result: BulkResult = { created: [], existing: [], rejected: [] }
  for (const record of records) {
    const { type, index, clientId } = record
    const end = ends.get(record) as End
    const name = clientId === undefined ? {} : { clientId }
    if ('rejected' in end) result.rejected.push({ index, type, ...name, errors: end.rejected })
    else if ('existing' in end) result.existing.push({ ...name, type, id: end.existing })
    else result.created.push({ ...name, type, id: end.created })
  }
  return result
}
