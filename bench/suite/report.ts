import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname } from 'node:path'
import type { Measured, Result } from './compare.ts'
import { figure } from './statistics.ts'

/** A figure that is held against a bound of its own, not against another program. */
export type Check = { title: string; unit: string; value: number; atMost: number; aim?: number }

export type Report = { name: string; comparisons: Result[]; checks: Check[] }

const mark = (reached: boolean) => (reached ? 'reached' : 'NOT REACHED')

const side = ({ name, median, least, most }: Measured, unit: string) =>
  `  ${name.padEnd(44)} ${figure(median).padStart(8)} ${unit}  (${figure(least)} to ${figure(most)})`

/** Whether everything that must be reached is. */
export const isReached = ({ comparisons, checks }: Report): boolean =>
  comparisons.every(({ reached }) => reached) && checks.every(({ value, atMost }) => value <= atMost)

/** Prints medians, spread, and each ratio with what it must reach. */
export function printReport({ name, comparisons, checks }: Report): void {
  console.log(`\n${name}: medians, least and most of the rounds`)
  for (const {
    title,
    unit,
    better,
    ours,
    others,
    besides,
    best,
    ratio,
    ratios,
    mustReach,
    aim,
    reached
  } of comparisons) {
    console.log(`\n${title}`)
    for (const one of [ours, ...others, ...besides]) console.log(side(one, unit))
    const bound = better === 'more' ? 'at least' : 'at most'
    const spread = `${figure(Math.min(...ratios))} to ${figure(Math.max(...ratios))}`
    console.log(`  ratio to ${best}: ${figure(ratio)} (${spread})`)
    console.log(`  must reach ${bound} ${mustReach}, aim ${aim}: ${mark(reached)}`)
  }
  if (checks.length > 0) console.log('')
  for (const { title, unit, value, atMost, aim } of checks) {
    const aimed = aim === undefined ? '' : `, aim ${aim}`
    console.log(
      `  ${title.padEnd(44)} ${figure(value).padStart(8)} ${unit}  must be at most ${atMost}${aimed}: ${mark(value <= atMost)}`
    )
  }
}

/** Writes everything that was measured, each round of it, as JSON. */
export async function writeReport(file: string, report: Report, options: Record<string, string>): Promise<void> {
  const about = {
    at: new Date().toISOString(),
    node: process.version,
    processors: availableParallelism(),
    options
  }
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify({ ...about, ...report, reached: isReached(report) }, null, 2)}\n`)
}
