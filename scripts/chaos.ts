import { parseArgs } from 'node:util'
import { setTimeout as delay } from 'node:timers/promises'
import { type Blow, blows } from './chaos/faults.ts'
import { type Learner, register, submitAll, type Tally } from './chaos/clients.ts'
import { type Heard, listenToBroker, listenToSocket } from './chaos/listeners.ts'
import { seeded } from './chaos/random.ts'
import { buildStage, type Stage } from './chaos/stage.ts'
import { judge } from './chaos/verdict.ts'

const help = `Runs jobs while everything is killed or frozen in turn, and holds the result against the promises.

  npm run chaos -- [options]

  --jobs N      jobs to submit (5000)
  --seed N      of the schedule of blows and of the submissions (1)
  --latency N   milliseconds the model provider takes to answer (150)
  --outage N    seconds that RabbitMQ is away (60)
  --share N     percent of the usual time that the other blows last and lie apart (100)
  --blows A,B   only blows whose names contain one of these words
  --help

It starts private services, two APIs, two workers and the offline provider, and stops them at the end.
Exits 1 when an invariant broke.`

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '1' },
    latency: { type: 'string', default: '150' },
    outage: { type: 'string', default: '60' },
    share: { type: 'string', default: '100' },
    blows: { type: 'string' },
    help: { type: 'boolean', default: false }
  }
})

/** Submissions are spread over about this time beside the outage of RabbitMQ, so that every blow falls on work in flight. */
const stormMs = 100_000
const clients = 16

const startedAt = performance.now()
const elapsed = () => `${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s`
const say = (text: string) => console.log(`${elapsed()}  ${text}`)
async function step<T>(title: string, work: () => Promise<T>): Promise<T> {
  const result = await work()
  say(title)
  return result
}

async function main(): Promise<number> {
  const numbers = [values.jobs, values.seed, values.latency, values.outage, values.share].map(Number)
  const [jobs = 0, seed = 0, latencyMs = 0, outageSeconds = 0, percent = 0] = numbers
  if (!numbers.every((value) => Number.isInteger(value) && value >= 0) || jobs < 1) {
    console.error('--jobs, --seed, --latency, --outage and --share take whole numbers; see --help')
    return 1
  }
  const outageMs = outageSeconds * 1000
  const share = percent / 100
  const words = values.blows?.split(',')
  const chosen = words ? blows.filter(({ name }) => words.some((word) => name.includes(word))) : blows
  const stage = await buildStage({ latencyMs, step })
  let keepLogs = true
  try {
    const random = seeded(seed)
    const tally: Tally = { accepted: [], answers5xx: 0, otherAnswers: new Map(), wrongReplays: 0 }
    const broker = await listenToBroker(stage)
    const heardFrom = Number((await stage.knex('relay').first('last_position'))?.last_position)
    const learners = await register(stage, 10, seed, tally)
    const sockets = await Promise.all(
      learners.slice(0, 4).map(async (learner, n) => ({ learner, ...(await listenToSocket(stage, learner, n)) }))
    )
    say(`storm: ${jobs} jobs, seed ${seed}`)

    // The blows fall one after another, spread over the submissions, until each has fallen and all jobs are submitted.
    let submitted = false
    const submitting = submitAll(stage, learners, {
      jobs,
      clients,
      random: seeded(seed + 1),
      tally,
      paceMs: Math.min(Math.max((clients * (stormMs * share + outageMs)) / jobs, 60), 6_000)
    }).finally(() => {
      submitted = true
    })
    const repairs: number[] = []
    const [{ token }] = learners as [Learner]
    let brokenRequests = 0
    let last: Blow | undefined
    const order = chosen.toSorted(() => random() - 0.5)
    for (let n = 0; n < order.length || !submitted; n++) {
      const blow = order[n % order.length]
      if (!blow) break
      await delay((1_500 + random() * 1_500) * share)
      last = blow
      const struck = await blow.strike(stage, { random, outageMs, share, token })
      const { repairMs } = struck
      if (repairMs !== undefined) repairs.push(repairMs)
      brokenRequests += struck.broken ?? 0
      say(
        `${last.name}${repairMs === undefined ? '' : `: made good after ${(repairMs / 1000).toFixed(1)} s`}, ${tally.accepted.length} accepted`
      )
    }
    await submitting
    say(`all submitted: ${tally.accepted.length} accepted`)

    await untilQuiet(stage)
    await untilHeard(stage, broker.heard, sockets)
    await delay(1_000) // for what should not come
    broker.stop().catch(() => undefined)
    for (const socket of sockets) socket.stop()
    const rows = await judge(stage, {
      tally,
      learners,
      broker: broker.heard,
      heardFrom,
      sockets,
      repairs,
      brokenRequests
    })
    const width = Math.max(...rows.map(({ what }) => what.length))
    console.log()
    for (const { what, value, broken, detail } of rows) {
      console.log(`  ${what.padEnd(width)}  ${String(value).padStart(8)}${broken ? `  BROKEN ${detail ?? ''}` : ''}`)
    }
    if (tally.otherAnswers.size > 0) console.log(`  other answers: ${JSON.stringify([...tally.otherAnswers])}`)
    const broken = rows.filter((row) => row.broken)
    console.log(broken.length === 0 ? '\nEvery promise held.' : `\n${broken.length} promises broke (seed ${seed}).`)
    keepLogs = broken.length > 0
    if (keepLogs) console.log(`Logs: ${stage.logs}`)
    return keepLogs ? 1 : 0
  } finally {
    await stage.stop(keepLogs)
  }
}

/**
 * Until no job is open, every call is settled or given up, and the log has reached every sink, or nothing has moved for a
 * while.
 */
async function untilQuiet(stage: Stage): Promise<void> {
  let left = -1
  let movedAt = performance.now()
  for (;;) {
    const { rows } = await stage.knex.raw(
      `select (select count(*) from jobs where status in ('queued', 'active'))
            + (select count(*) from events where position is null)
            + (select count(*) from model_calls where state = 'intended')
            + (select coalesce(sum((select last_position from relay) - position), 0) from relay_cursors) as n,
              (select count(*) from jobs where status = 'queued' and run_at > now()) as waiting`
    )
    const now = Number(rows[0].n)
    if (now === 0) return
    // A job that waits for its next attempt is not stuck.
    if (now !== left || Number(rows[0].waiting) > 0) movedAt = performance.now()
    left = now
    if (performance.now() - movedAt > 45_000) {
      say(`nothing moves any more, ${now} still open`)
      await showStuck(stage)
      return
    }
    await delay(250)
  }
}

/** Until every listener has the last event that is meant for it, or half a minute was not enough to reach it. */
async function untilHeard(
  { knex }: Stage,
  broker: Heard,
  sockets: { learner: Learner; heard: Heard }[]
): Promise<void> {
  const lastOf = async (userId?: string): Promise<number> => {
    const events = knex('events').max('position as last')
    const [row] = await (userId ? events.where({ user_id: userId }) : events)
    return Number(row?.last)
  }
  const wanted = [
    { heard: broker, last: await lastOf() },
    ...(await Promise.all(sockets.map(async ({ learner, heard }) => ({ heard, last: await lastOf(learner.id) }))))
  ]
  const deadline = performance.now() + 30_000
  while (wanted.some(({ heard, last }) => heard.lastPosition < last) && performance.now() < deadline) await delay(50)
}

/** What a reader of a broken run wants to know first: who should be working on the jobs that are open. */
async function showStuck({ knex, redis }: Stage): Promise<void> {
  const stuck = await knex('jobs').whereIn('status', ['queued', 'active']).orderBy('id').limit(8)
  for (const { id, action, status, worker, run, attempts, crashes, error, run_at } of stuck) {
    const key = `{goals}:${action}`
    const places = await Promise.all([
      redis.lpos(`${key}:wait`, id),
      redis.zscore(`${key}:prioritized`, id),
      redis.lpos(`${key}:active`, id),
      redis.zscore(`${key}:delayed`, id),
      redis.exists(`${key}:${id}:lock`)
    ])
    console.log({
      id,
      action,
      status,
      worker,
      run,
      attempts,
      crashes,
      error,
      run_at,
      'wait, line, active, delayed, lock': places
    })
  }
  console.log(await knex('workers').select('id', 'seen_at', knex.raw('now() as now')))
}

if (values.help) console.log(help)
else process.exitCode = await main()
