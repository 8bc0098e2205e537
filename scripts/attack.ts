import { writeFile } from 'node:fs/promises'
import { constants, setPriority } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { seededRandom } from '@goals/offline-provider'
import type { Attack } from './attack/attack.ts'
import { attacks } from './attack/attacks/index.ts'
import { startInnocents } from './attack/innocents-apart.ts'
import { judge, quietOf, type Result, showResults } from './attack/results.ts'
import { openStage, type Stage } from './attack/stage.ts'
import { untilSignal } from './start/until-signal.ts'

const help = `Attacks a platform of its own, as a stranger and as an ordinary user, while innocent users go on using it.

  npm run attack -- [options]

  --only A,B    only these attacks
  --seed N      of what is random (1)
  --short       a tenth of everything, for tests: waits are shown but not judged
  --json FILE   writes the results there too
  --help

Attacks:
${attacks.map(({ name, about }) => `  ${name.padEnd(12)}  ${about}`).join('\n')}

It starts \`npm start\` with a data folder of its own, on private services (or on those of DATABASE_URL, REDIS_URL and
RABBITMQ_URL), sends to loopback alone, and stops what it started at the end.
Exits 1 when something did not hold.`

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean', default: false }
  }
})

const shortShare = 0.1
const quietMs = 20_000
/** What a process gets to give memory back after an attack. */
const calmMs = 30_000
/** What the jobs that an attack left get to be done. */
const settleMs = 120_000

const startedAt = performance.now()
const say = (text: string) =>
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${text}`)

function chosen(): Attack[] | string {
  const wanted = values.only?.split(',')
  const unknown = wanted?.filter((name) => !attacks.some((attack) => attack.name === name)) ?? []
  if (unknown.length > 0) return `There is no attack named ${unknown.join(', ')}; see --help`
  if (!/^\d+$/.test(values.seed)) return '--seed takes a whole number; see --help'
  return wanted ? attacks.filter(({ name }) => wanted.includes(name)) : attacks
}

async function main(): Promise<number> {
  const list = chosen()
  if (typeof list === 'string') {
    console.error(list)
    return 2
  }
  const random = seededRandom(Number(values.seed))
  const innocents = await startInnocents()
  const stage = await openStage({ otherReceivers: [innocents.receiverUrl], onLine: say })
  giveWay()
  // What was started goes with who started it.
  void untilSignal(() => process.exit(130)).then(async () => {
    await stage.stop()
    process.exit(130)
  })
  try {
    const count = values.short ? 3 : 8
    await innocents.enter(stage.url, { count, pauseMs: values.short ? 5_000 : 400 })
    say(`${count} innocent users are there`)
    await innocents.use(AbortSignal.timeout(values.short ? 1_000 : 5_000)) // what is loaded late is loaded by now
    const quiet = quietOf((await innocents.use(AbortSignal.timeout(values.short ? 3_000 : quietMs))).watch)
    const results: Result[] = []
    for (const attack of list) {
      const scale = { share: values.short ? shortShare : 1, random }
      const prepared = await attack.prepare?.(stage, scale)
      await untilIdle(stage)
      const before = await memory(stage)
      const brokenBefore = stage.tally.broken.length
      const requestsBefore = stage.tally.requests
      const stop = new AbortController()
      const using = innocents.use(stop.signal)
      const began = performance.now()
      const findings = await attack.run(stage, scale, prepared)
      const tookMs = performance.now() - began
      stop.abort()
      const { watch, tally } = await using
      const after = await memoryAfter(stage, before)
      results.push(
        judge({
          name: attack.name,
          findings,
          tookMs,
          requests: stage.tally.requests - requestsBefore + tally.requests,
          broken: [...stage.tally.broken.slice(brokenBefore), ...tally.broken],
          quiet,
          watch,
          before,
          after,
          judgesWaits: !values.short
        })
      )
      say(summary(results.at(-1) as Result))
    }
    showResults(results, quiet)
    if (values.json) await writeFile(values.json, `${JSON.stringify({ quiet, results }, null, 2)}\n`)
    return results.some(({ findings }) => findings.length > 0) ? 1 : 0
  } finally {
    await innocents.end()
    await stage.stop()
  }
}

/**
 * Attackers have processors of their own; here they share those of the platform, which must not count as its slowness.
 * Linux alone gives each thread a priority (setpriority(2)): elsewhere the innocent users would give way too.
 */
function giveWay(): void {
  if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
}

/**
 * Waits until the jobs of earlier attacks are done, or a while: one attack must not be blamed for another, nor what an
 * attack leaves behind go unseen for longer than it is told.
 */
async function untilIdle({ client, url }: Stage): Promise<void> {
  const asking = client(new URL(url).hostname)
  const deadline = performance.now() + (values.short ? 0 : settleMs)
  for (;;) {
    const { text } = await asking.send('/metrics')
    const open = [...text.matchAll(/^queue_jobs\{[^}]*state="(?:wait|active|prioritized|delayed)"[^}]*\} (\d+)/gm)]
    if (open.every(([, count]) => count === '0') || performance.now() > deadline) break
    await delay(1_000)
  }
  asking.close()
}

/** What came of an attack, in a line. */
function summary({ name, findings, worst }: Result): string {
  const wait = `${worst.activity} ${Math.round(worst.p95Ms)} ms, ${worst.ratio.toFixed(1)} × quiet`
  return `${name}: ${findings.length === 0 ? 'held' : 'DID NOT HOLD'} (${wait})`
}

const memory = async (stage: Stage) => ({ api: await stage.rssOf('api'), workers: await stage.rssOf('workers') })

/** The memory of both processes once they have come to rest, or as it is when they had the time to. */
async function memoryAfter(stage: Stage, before: { api: number; workers: number }) {
  const deadline = performance.now() + (values.short ? 0 : calmMs)
  for (;;) {
    const now = await memory(stage)
    if ((now.api <= before.api * 1.1 && now.workers <= before.workers * 1.1) || performance.now() > deadline) return now
    await delay(1_000)
  }
}

if (values.help) console.log(help)
else process.exit(await main())
