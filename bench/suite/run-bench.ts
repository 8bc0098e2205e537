import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Closers, createClosers } from '../../scripts/start/closers.ts'
import { type Comparison, compare, type Result } from './compare.ts'
import { type Check, isReached, printReport, writeReport } from './report.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))

type OptionTable = Record<string, { default: string; about: string }>

export type BenchTools<Options extends OptionTable> = {
  /** Numbers that were given, or their defaults. */
  options: Record<keyof Options | 'rounds', number>
  closers: Closers
  say: (line: string) => void
  /** folder that the processes write CPU profiles to when they end; `undefined` for none */
  profiles: string | undefined
  run: (comparison: Comparison) => Promise<Result>
}

/**
 * The whole life of a bench: its arguments, its turns, its report on the terminal and as JSON. Ends with 1 when
 * something that must be reached is not, with 2 when the arguments are wrong.
 * @param measure opens what it needs, gives the closers what closes it, and returns what was measured
 */
export async function runBench<const Options extends OptionTable>({
  name,
  about,
  options: table,
  measure
}: {
  name: string
  about: string
  options: Options
  measure: (tools: BenchTools<Options>) => Promise<{ comparisons: Result[]; checks?: Check[] }>
}): Promise<void> {
  const all: OptionTable = { rounds: { default: '5', about: 'rounds that are counted' }, ...table }
  const usage = helpOf(name, about, all)
  const given = readArguments(all)
  if ('problem' in given || given.help) {
    if ('problem' in given) process.exitCode = 2
    console[process.exitCode ? 'error' : 'log']('problem' in given ? `${given.problem}\n\n${usage}` : usage)
    return
  }
  const { numbers, out = join(root, '.data/bench', `${name}.json`), profiles } = given
  const closers = createClosers()
  const say = (line: string) => console.log(line)
  const interrupted = () => {
    say('stopping')
    void closers.closeAll().finally(() => process.exit(130))
  }
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  await rm(out, { force: true }) // nobody takes an older run's figures for this one's
  try {
    const run = (comparison: Comparison) => compare(comparison, { rounds: numbers.rounds as number, say })
    const options = numbers as Record<keyof Options | 'rounds', number>
    const measured = await measure({ options, closers, say, profiles, run })
    const report = { name, comparisons: measured.comparisons, checks: measured.checks ?? [] }
    printReport(report)
    await writeReport(out, report, Object.fromEntries(Object.entries(numbers).map(([key, n]) => [key, String(n)])))
    say(`\nwritten to ${out}`)
    if (!isReached(report)) process.exitCode = 1
  } finally {
    await closers.closeAll()
  }
}

type Given =
  | { problem: string }
  | { help: boolean; numbers: Record<string, number>; out: string | undefined; profiles: string | undefined }

function readArguments(table: OptionTable): Given {
  try {
    const { values } = parseArgs({
      options: {
        help: { type: 'boolean', default: false },
        out: { type: 'string' },
        'cpu-prof': { type: 'string' },
        ...Object.fromEntries(Object.keys(table).map((key) => [key, { type: 'string' as const }]))
      }
    })
    const entries = Object.entries(table).map(([key, { default: fallback }]): [string, number] => {
      const number = Number((values as Record<string, unknown>)[key] ?? fallback)
      if (!(number >= 0)) throw new Error(`--${key} must be a number of at least 0`)
      return [key, number]
    })
    return { help: values.help, numbers: Object.fromEntries(entries), out: values.out, profiles: values['cpu-prof'] }
  } catch (error) {
    return { problem: (error as Error).message }
  }
}

function helpOf(name: string, about: string, table: OptionTable): string {
  const lines = [
    ...Object.entries(table).map(([key, { default: fallback, about }]) => [`--${key} <n>`, `${about} (${fallback})`]),
    ['--out <file>', `where the figures go as JSON (.data/bench/${name}.json)`],
    ['--cpu-prof <folder>', 'writes CPU profiles of the API and the workers there'],
    ['--help', 'this text']
  ]
  const options = lines.map(([flag = '', text = '']) => `  ${flag.padEnd(22)} ${text}`).join('\n')
  return `npm run bench:${name} [-- options]\n\n${about.trim()}\n\n${options}`
}
