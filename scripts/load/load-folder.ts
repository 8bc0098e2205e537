import { type BulkList, type BulkResult, bulkLists } from '../../lib/schemas/bulk.ts'
import { type Batch, listOf, makeBatches, planRecords } from './batches.ts'
import type { Client } from './client.ts'
import type { ProgressBar } from './progress-bar.ts'
import type { Folder } from './read-folder.ts'

export type Counts = { created: number; existing: number; rejected: number }

export type Loaded = {
  byList: Record<BulkList, Counts>
  /** ids by clientId, of what was created and what was there */
  ids: Map<string, string>
  /** a line for each refused record: where it stands and what is wrong */
  rejections: string[]
  calls: number
  tookMs: number
}

/** How many records a folder makes. */
export const countRecords = (folder: Folder): number => planRecords(folder).length

/** Brings a folder in by bulk jobs, one after another. Running it again adds nothing twice. */
export async function loadFolder(
  folder: Folder,
  { client, bar }: { client: Client; bar: ProgressBar }
): Promise<Loaded> {
  const startedAt = performance.now()
  const batches = makeBatches(planRecords(folder))
  const loaded: Loaded = { byList: noCounts(), ids: new Map(), rejections: [], calls: batches.length, tookMs: 0 }
  let done = 0
  for (const [index, batch] of batches.entries()) {
    const label = `records, call ${index + 1} of ${batches.length}`
    bar.update(done, label)
    const job = await client.run('/bulk', batch.body, ({ progress }) => bar.update(done + (progress?.done ?? 0), label))
    note(loaded, batch, job.result as BulkResult)
    done += batch.count
    bar.update(done, label)
  }
  bar.end()
  loaded.tookMs = performance.now() - startedAt
  return loaded
}

function noCounts(): Record<BulkList, Counts> {
  const lists = Object.keys(bulkLists) as BulkList[]
  return Object.fromEntries(lists.map((list) => [list, { created: 0, existing: 0, rejected: 0 }])) as Record<
    BulkList,
    Counts
  >
}

function note(loaded: Loaded, { lines }: Batch, result: BulkResult): void {
  for (const kind of ['created', 'existing'] as const) {
    for (const { type, clientId, id } of result[kind]) {
      loaded.byList[listOf(type)][kind] += 1
      if (clientId !== undefined) loaded.ids.set(clientId, id)
    }
  }
  for (const { type, index, errors } of result.rejected) {
    const list = listOf(type)
    loaded.byList[list].rejected += 1
    const reasons = errors.map(({ path, message }) => `${path ? `${path}: ` : ''}${message}`).join('; ')
    loaded.rejections.push(`${lines[list]?.[index] ?? list}  ${reasons}`)
  }
}
