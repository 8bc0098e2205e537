import { type BulkInput, type BulkList, bulkLists, maxBulkRecords } from '../../lib/schemas/bulk.ts'
import type { Folder } from './read-folder.ts'

/** A record for a bulk call, and the line it came from. */
export type Planned = { list: BulkList; at: string; record: Record<string, unknown> & { clientId: string } }

/** One bulk call: its body, and for each of its lists the lines in their order. */
export type Batch = { body: BulkInput; lines: Partial<Record<BulkList, string[]>>; count: number }

/** Below the 10 MiB that the API takes, so that brackets and names have room. */
const maxBatchBytes = 10 * 1024 * 1024 - 64 * 1024

/**
 * What a folder becomes: a course, one goal for each course and its exercises as tasks, concept pages as documents,
 * solutions as code snapshots of their tasks. The programming language of a course is its subject.
 * Each has a clientId made of its id, so that loading it again finds it.
 */
export function planRecords({ courses, documents, tasks, codeSnapshots }: Folder): Planned[] {
  const positions = new Map<string, number>()
  const nextPosition = (course: string) => {
    const position = positions.get(course) ?? 0
    positions.set(course, position + 1)
    return position
  }
  return [
    ...courses.map(({ at, id, title, description, language }): Planned => {
      const record = { clientId: `course:${id}`, title, description: description ?? null, subject: language ?? null }
      return { list: 'courses', at, record }
    }),
    ...courses.map(({ at, id, title }): Planned => {
      const record = { clientId: `goal:${id}`, courseClientId: `course:${id}`, title: `Work through ${title}` }
      return { list: 'goals', at, record }
    }),
    ...tasks.map(({ at, id, course, title, instructions }): Planned => {
      const place = { goalClientId: `goal:${course}`, position: nextPosition(course) }
      return {
        list: 'tasks',
        at,
        record: { clientId: `task:${id}`, ...place, title, description: instructions ?? null }
      }
    }),
    ...codeSnapshots.map(({ at, id, task, language, source }): Planned => {
      const record = { clientId: `code:${id}`, taskClientId: `task:${task}`, language, source }
      return { list: 'codeSnapshots', at, record }
    }),
    ...documents.map(({ at, id, course, title, markdown }): Planned => {
      const record = { clientId: `document:${id}`, courseClientId: `course:${course}`, title, markdown }
      return { list: 'documents', at, record }
    })
  ]
}

/**
 * Splits records, in their order, into as few calls as the limits of the API allow. What a record refers to is in the
 * same call or an earlier one.
 */
export function makeBatches(
  planned: Planned[],
  { maxRecords = maxBulkRecords, maxBytes = maxBatchBytes }: { maxRecords?: number; maxBytes?: number } = {}
): Batch[] {
  const batches: Batch[] = []
  let bytes = 0
  for (const { list, at, record } of planned) {
    const size = Buffer.byteLength(JSON.stringify(record)) + 1
    let batch = batches.at(-1)
    if (!batch || batch.count >= maxRecords || bytes + size > maxBytes) {
      batch = { body: {}, lines: {}, count: 0 }
      batches.push(batch)
      bytes = 0
    }
    bytes += size
    batch.count += 1
    const records = (batch.body[list] ??= [])
    const lines = (batch.lines[list] ??= [])
    records.push(record)
    lines.push(at)
  }
  return batches
}

/** The list whose records have this type. */
export const listOf = (type: (typeof bulkLists)[BulkList]): BulkList =>
  (Object.keys(bulkLists) as BulkList[]).find((list) => bulkLists[list] === type) as BulkList
