import { register } from '../scripts/chaos/clients.ts'
import { buildStage } from '../scripts/chaos/stage.ts'

/**
 * What clients see of a rolling restart: twelve of them send to two APIs while each process is drained and started
 * again. One that finds a port closed asks the other instance, as a balancer would; anything else is an error.
 */
const stage = await buildStage({ latencyMs: 50, step: async (_title, work) => await work() })
const tally = { accepted: [], answers5xx: 0, otherAnswers: new Map<number, number>(), wrongReplays: 0 }
const [learner] = await register(stage, 1, 1, tally)
const headers = { authorization: `Bearer ${learner?.token}`, 'content-type': 'application/json' }
const errors = new Map<string, number>()
let answered = 0
let movedOn = 0
let stopping = false

async function send(n: number, instance: number): Promise<string> {
  const url = `${stage.apiUrls[instance % stage.apiUrls.length]}/api/v1`
  const body = JSON.stringify({ input: `text ${n}` })
  try {
    const response =
      n % 3 === 0
        ? await fetch(`${url}/embeddings`, { method: 'POST', headers, body })
        : await fetch(`${url}/goals`, { headers })
    await response.arrayBuffer()
    return response.ok ? 'ok' : String(response.status)
  } catch (error) {
    return ((error as Error).cause as { code?: string } | undefined)?.code ?? (error as Error).name
  }
}

async function client(first: number): Promise<void> {
  for (let n = first; !stopping; n++) {
    let outcome = await send(n, n)
    if (outcome === 'ECONNREFUSED') {
      movedOn += 1
      outcome = await send(n, n + 1)
    }
    if (outcome === 'ok') answered += 1
    else errors.set(outcome, (errors.get(outcome) ?? 0) + 1)
  }
}

const clients = Promise.all(Array.from({ length: 12 }, (_, n) => client(n)))
for (const name of ['api-1', 'workers-1', 'api-2', 'workers-2'] as const) {
  console.log(`${name}: ${(await stage.restart(name)) ? 'drained' : 'had to be killed'}`)
}
stopping = true
await clients
await stage.stop()
console.log(`${answered} answered, ${movedOn} moved on to the other instance, errors: ${JSON.stringify([...errors])}`)
if (errors.size > 0) process.exitCode = 1
