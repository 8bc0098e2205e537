import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { register, type Tally } from '../scripts/chaos/clients.ts'
import { pick, seeded } from '../scripts/chaos/random.ts'
import { buildStage } from '../scripts/chaos/stage.ts'

const help = `How long it takes until a cancelled job is cancelled everywhere.

  npm run bench:cancel -- [--jobs 500] [--seed 1] [--latency 3000]

Two APIs and two workers, a provider that takes --latency ms. Each job is cancelled at a random moment of its life by a
random API. Prints the time from sending the cancellation to its answer, and to the end of the provider's request, and
counts provider requests that began over 250 ms after the transaction that cancelled their job did. Exits 1 when one
began after over a second, or a p99 is over 1 s.`

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    latency: { type: 'string', default: '3000' },
    help: { type: 'boolean', default: false }
  }
})

const clients = 24
/** A request whose intent was committed just before the cancellation may arrive just after it. */
const graceMs = 250

function quantile(sorted: number[], share: number): string {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return value === undefined ? '–' : `${value.toFixed(0)} ms`
}

async function main(): Promise<number> {
  const [jobs, seed, latencyMs] = [Number(values.jobs), Number(values.seed), Number(values.latency)]
  const stage = await buildStage({ latencyMs, step: async (_title, work) => await work() })
  try {
    const random = seeded(seed)
    const tally: Tally = { accepted: [], answers5xx: 0, otherAnswers: new Map(), wrongReplays: 0 }
    const [learner] = await register(stage, 1, seed, tally)
    const headers = { authorization: `Bearer ${learner?.token}`, 'content-type': 'application/json' }
    const post = async (path: string, body: unknown) => {
      const url = `${pick(random, stage.apiUrls)}/api/v1${path}`
      return (await (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).json()) as {
        id: string
        status: string
      }
    }

    const answers: number[] = []
    const cancelledAt = new Map<string, number>()
    let next = 0
    let ended = 0
    async function client(): Promise<void> {
      while (next < jobs) {
        const n = next++
        const job =
          random() < 0.5
            ? await post('/chat', { message: `Question ${n}: what is recursion?` })
            : await post('/embeddings', { input: `text number ${n}` })
        await delay(random() * latencyMs * 0.9)
        const sentAt = Date.now()
        const from = performance.now()
        const { status } = await post(`/jobs/${job.id}/cancel`, {})
        if (status === 'cancelled') {
          answers.push(performance.now() - from)
          cancelledAt.set(job.id, sentAt)
        } else ended += 1
      }
    }
    await Promise.all(Array.from({ length: clients }, client))
    await delay(latencyMs + 1_000)

    const shares = await stage.knex('model_call_shares').select('call_id', 'job_id')
    const jobOf = new Map(shares.map(({ call_id, job_id }) => [call_id as string, job_id as string]))
    const cancelledRows = await stage.knex('jobs').where({ status: 'cancelled' }).select('id', 'finished_at')
    const committedAt = new Map(
      cancelledRows.map(({ id, finished_at }) => [id as string, (finished_at as Date).getTime()])
    )
    const aborts: number[] = []
    const late: number[] = []
    for (const { clientRequestId, at, finishedAt } of stage.provider.invoice()) {
      const job = jobOf.get(clientRequestId ?? '') ?? ''
      const cancelled = cancelledAt.get(job)
      if (cancelled === undefined) continue
      // What was under way when the cancellation was sent: how long until the provider saw it end.
      const after = Date.parse(at) - (committedAt.get(job) ?? Number.POSITIVE_INFINITY)
      if (after > graceMs) late.push(after)
      else if (finishedAt && Date.parse(finishedAt) > cancelled) aborts.push(Date.parse(finishedAt) - cancelled)
    }
    for (const list of [answers, aborts]) list.sort((a, b) => a - b)
    const show = (what: string, list: number[]) =>
      console.log(
        `  ${what.padEnd(44)} n ${String(list.length).padStart(4)}  p50 ${quantile(list, 0.5)}  p99 ${quantile(list, 0.99)}  longest ${quantile(list, 1)}`
      )
    show('cancellation sent to "cancelled" answered', answers)
    show('cancellation sent to provider request ended', aborts)
    console.log(`  ended before they could be cancelled: ${ended}`)
    console.log(`  provider requests begun over ${graceMs} ms after it: ${late.length} (${late.join(', ')} ms)`)
    const slow =
      (aborts[Math.floor(aborts.length * 0.99)] ?? 0) > 1_000 ||
      (answers[Math.floor(answers.length * 0.99)] ?? 0) > 1_000
    return late.some((after) => after > 1_000) || slow ? 1 : 0
  } finally {
    await stage.stop()
  }
}

if (values.help) console.log(help)
else process.exitCode = await main()
