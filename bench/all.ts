import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Report } from './suite/report.ts'
import { root } from './suite/run-bench.ts'
import { figure } from './suite/statistics.ts'

const names = [
  'submit',
  'submit-durable',
  'submit-one',
  'read',
  'gate',
  'finish',
  'latency',
  'embed',
  'search',
  'start'
]

const help = `npm run bench [-- --rounds 5] [--only submit,read] [--out .data/bench]

Runs the benches that hold the platform against what one would otherwise use, one after the other: ${names.join(', ')}.
Each is also a command of its own, npm run bench:<name>, with --help. Writes a JSON file of each to the folder of --out and
prints a table of all. Exits 1 when something that must be reached is not.`

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
    out: { type: 'string', default: join(root, '.data/bench') },
    help: { type: 'boolean', default: false }
  }
})

async function main(): Promise<void> {
  const chosen = values.only?.split(',') ?? names
  const unknown = chosen.filter((name) => !names.includes(name))
  if (unknown.length > 0) throw new Error(`there is no bench ${unknown.join(', ')}: there are ${names.join(', ')}`)
  const lines: string[] = []
  for (const [index, name] of chosen.entries()) {
    console.log(`\n${index + 1} of ${chosen.length}: ${name}`)
    const out = join(values.out, `${name}.json`)
    const file = join(root, 'bench', `${name}.ts`)
    const child = spawn(process.execPath, [file, '--rounds', values.rounds, '--out', out], { stdio: 'inherit' })
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) process.exitCode = 1
    lines.push(...(await summary(name, out).catch(() => [`${name.padEnd(15)} could not be run`])))
  }
  console.log(`\n${lines.join('\n')}`)
}

async function summary(name: string, file: string): Promise<string[]> {
  const { comparisons, checks } = JSON.parse(await readFile(file, 'utf8')) as Report
  const verdict = (reached: boolean) => (reached ? '' : '  NOT REACHED')
  return [
    ...comparisons.map(({ title, unit, ours, others, best, better, ratio, mustReach, reached }) => {
      const other = others.find((one) => one.name === best)
      const figures = `${figure(ours.median)} to ${figure(other?.median ?? 0)} ${unit} (${best})`
      const bound = better === 'more' ? '≥' : '≤'
      return `${name.padEnd(15)} ${title}: ${figures}: ${figure(ratio)}, must reach ${bound} ${mustReach}${verdict(reached)}`
    }),
    ...checks.map(({ title, value, unit, atMost }) => {
      return `${name.padEnd(15)} ${title}: ${figure(value)} ${unit}, at most ${atMost}${verdict(value <= atMost)}`
    })
  ]
}

if (values.help) console.log(help)
else await main()
