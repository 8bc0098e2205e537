import type { BulkList } from '../../lib/schemas/bulk.ts'
import type { Loaded } from './load-folder.ts'

const names: Record<BulkList, string> = {
  courses: 'courses',
  goals: 'goals',
  tasks: 'tasks',
  codeSnapshots: 'code snapshots',
  documents: 'documents'
}
const maxRejections = 20

/** A table of what became of each kind of record, and the lines that were refused. */
export function summaryOf({ byList, rejections, calls, tookMs }: Loaded): string {
  const columns = ['created', 'existing', 'rejected'] as const
  const row = (name: string, cells: (string | number)[]) =>
    `  ${name.padEnd(16)}${cells.map((cell) => String(cell).padStart(10)).join('')}`
  const rows = (Object.keys(names) as BulkList[]).map((list) =>
    row(
      names[list],
      columns.map((column) => byList[list][column])
    )
  )
  const totals = columns.map((column) => Object.values(byList).reduce((sum, counts) => sum + counts[column], 0))
  const refused = rejections.slice(0, maxRejections).map((line) => `  ${line}`)
  if (rejections.length > maxRejections) refused.push(`  and ${rejections.length - maxRejections} more`)
  return [
    row('', [...columns]),
    ...rows,
    row('in all', totals),
    '',
    `  ${calls} bulk ${calls === 1 ? 'call' : 'calls'}, ${(tookMs / 1000).toFixed(1)} s`,
    ...(refused.length > 0 ? ['', 'Rejected:', ...refused] : [])
  ].join('\n')
}
