import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { register } from '../scripts/chaos/clients.ts'
import { buildStage, processNames } from '../scripts/chaos/stage.ts'

const help = `What clients see while APIs and workers are replaced one after the other, as \`npm restart\` does.

  npm run bench:rolling -- [options]

  --rounds N   times that each of two APIs and two workers is replaced (3)
  --help

Every failed connection and every answer that is no success counts; nothing is tried again. Exits 1 when there was one.`

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, help: { type: 'boolean', default: false } }
})

type Kind = { title: string; clients: number; pauseMs: number; agent: () => Agent }

/** Keeps connections as long as the server says, which node's agent does only when it has a timeout of its own. */
const keeping = () => new Agent({ keepAlive: true, timeout: 60_000 })

const kinds: Kind[] = [
  { title: 'connections kept, always busy', clients: 8, pauseMs: 0, agent: () => keeping() },
  { title: 'connections kept, often idle', clients: 24, pauseMs: 4_000, agent: () => keeping() },
  { title: 'a connection for each request', clients: 4, pauseMs: 0, agent: () => new Agent({ keepAlive: false }) }
]

function send(url: string, method: string, headers: Record<string, string>, agent: Agent, body = ''): Promise<string> {
  return new Promise((resolve) => {
    const sent = request(url, { method, headers, agent }, (response) => {
      response.resume()
      response.once('end', () => resolve(String(response.statusCode)))
      response.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
    sent.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    sent.end(body)
  })
}

async function main(): Promise<number> {
  const stage = await buildStage({ latencyMs: 50, step: async (_title, work) => await work() })
  try {
    const tally = { accepted: [], answers5xx: 0, otherAnswers: new Map<number, number>(), wrongReplays: 0 }
    const [learner] = await register(stage, 1, 1, tally)
    const headers = { authorization: `Bearer ${learner?.token}`, 'content-type': 'application/json' }
    let stopping = false

    async function client({ pauseMs, agent }: Kind, first: number, outcomes: Map<string, number>): Promise<void> {
      const own = agent()
      for (let n = first; !stopping; n++) {
        const url = `${stage.apiUrls[n % stage.apiUrls.length]}/api/v1`
        const body = JSON.stringify({ input: `text ${n}` })
        const outcome =
          n % 3 === 0
            ? await send(`${url}/embeddings`, 'POST', headers, own, body)
            : await send(`${url}/goals`, 'GET', headers, own)
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        await delay(pauseMs * Math.random())
      }
      own.destroy()
    }

    const results = kinds.map((kind) => ({ kind, outcomes: new Map<string, number>() }))
    const clients = results.flatMap(({ kind, outcomes }) =>
      Array.from({ length: kind.clients }, (_, n) => client(kind, n, outcomes))
    )
    let unclean = 0
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const name of processNames) {
        const from = performance.now()
        if (!(await stage.replace(name))) unclean += 1
        console.log(`${name} replaced in ${((performance.now() - from) / 1000).toFixed(1)} s`)
      }
    }
    stopping = true
    await Promise.all(clients)

    let errors = 0
    for (const { kind, outcomes } of results) {
      const good = (outcomes.get('200') ?? 0) + (outcomes.get('202') ?? 0)
      const bad = [...outcomes].filter(([outcome]) => outcome !== '200' && outcome !== '202')
      for (const [, count] of bad) errors += count
      const told = bad.map(([outcome, count]) => `${count} × ${outcome}`).join(', ') || '0 errors'
      console.log(`${kind.title.padEnd(32)} ${String(good).padStart(6)} answered, ${told}`)
    }
    const open = await stage.knex('jobs').where({ status: 'failed' })
    console.log(`${open.length} jobs failed, ${unclean} processes had to be killed`)
    return errors + open.length + unclean > 0 ? 1 : 0
  } finally {
    await stage.stop()
  }
}

if (values.help) console.log(help)
else process.exitCode = await main()
