import type { Finding } from './attack.ts'
import { activities, type Activity, type Watch } from './innocents.ts'

export type Memory = { api: number; workers: number }
export type Quiet = Record<Activity, number>

export type Result = {
  name: string
  tookMs: number
  requests: number
  /** the activity whose wait grew most: its p95 in ms, quiet and during the attack */
  worst: { activity: Activity; quietMs: number; p95Ms: number; ratio: number }
  p95Ms: Record<Activity, number>
  before: Memory
  after: Memory
  findings: Finding[]
}

/** p95 of an innocent user's wait during an attack over the quiet one. */
const mostRatio = 3
/** Below this a wait is not felt, and on a machine that the attacker shares nothing can be told from it. */
const unfeltMs = 100
const mostMemoryRatio = 1.5

function p95(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * 0.95) - 1)] ?? 0
}

const p95Of = ({ waits }: Watch): Record<Activity, number> =>
  Object.fromEntries(activities.map((activity) => [activity, p95(waits[activity])])) as Record<Activity, number>

export const quietOf = (watch: Watch): Quiet => p95Of(watch)

/** Holds what was seen during one attack against what must hold. */
export function judge({
  name,
  findings,
  tookMs,
  requests,
  broken,
  quiet,
  watch,
  before,
  after,
  judgesWaits
}: {
  name: string
  findings: Finding[]
  tookMs: number
  requests: number
  broken: { status: number; method: string; path: string }[]
  quiet: Quiet
  watch: Watch
  before: Memory
  after: Memory
  judgesWaits: boolean
}): Result {
  const during = p95Of(watch)
  const ratios = activities.map((activity) => ({
    activity,
    quietMs: quiet[activity],
    p95Ms: during[activity],
    ratio: during[activity] / Math.max(quiet[activity], unfeltMs)
  }))
  const worst = ratios.toSorted((a, b) => b.ratio - a.ratio)[0] as Result['worst']
  const all = [
    ...findings,
    ...broken.map(({ status, method, path }) => `${method} ${path} was answered ${status}`),
    ...[...watch.refused].map(([what, count]) => `innocent users: ${what}, ${count} times`)
  ]
  if (judgesWaits) {
    for (const { activity, p95Ms, ratio } of ratios) {
      if (ratio > mostRatio) all.push(`innocent users waited ${Math.round(p95Ms)} ms for ${activity} (p95)`)
    }
    for (const process of ['api', 'workers'] as const) {
      const ratio = after[process] / before[process]
      if (ratio > mostMemoryRatio) all.push(`memory of ${process} stayed at ${ratio.toFixed(1)} of what it was`)
    }
  }
  return { name, tookMs, requests, worst, p95Ms: during, before, after, findings: [...new Set(all)] }
}

const mib = (bytes: number) => String(Math.round(bytes / 1024 / 1024))
const ms = (value: number) => String(Math.round(value))

export function showResults(results: Result[], quiet: Quiet): void {
  const header = ['attack', 's', 'requests', 'worst wait', 'quiet', 'during', 'ratio', 'API MiB', 'workers MiB', '']
  const rows = results.map(({ name, tookMs, requests, worst, before, after, findings }) => [
    name,
    (tookMs / 1000).toFixed(0),
    String(requests),
    worst.activity,
    ms(worst.quietMs),
    ms(worst.p95Ms),
    worst.ratio.toFixed(1),
    `${mib(before.api)} → ${mib(after.api)}`,
    `${mib(before.workers)} → ${mib(after.workers)}`,
    findings.length === 0 ? 'held' : 'DID NOT HOLD'
  ])
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: string[]) => `  ${cells.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join('  ')}`.trimEnd()
  console.log(`\n${line(header)}`)
  for (const row of rows) console.log(line(row))
  console.log(
    `\n  Waits are p95 in ms of innocent users; quiet: ${activities.map((activity) => `${activity} ${ms(quiet[activity])}`).join(', ')}.`
  )
  console.log(`  Ratios go by the quiet wait, or ${unfeltMs} ms when that is less.`)
  for (const { name, findings } of results) for (const finding of findings) console.log(`  ${name}: ${finding}`)
  const failed = results.filter(({ findings }) => findings.length > 0)
  console.log(failed.length === 0 ? '\nEverything held.' : `\n${failed.length} of ${results.length} did not hold.`)
}
