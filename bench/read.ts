import { setTimeout as delay } from 'node:timers/promises'
import { type Load, openLoad } from './suite/load.ts'
import { makePeople, type Person } from './suite/people.ts'
import { runBench } from './suite/run-bench.ts'
import { openStage, type Stage } from './suite/stage.ts'

const goals = 25

await runBench({
  name: 'read',
  about: `GET /goals with ${goals} goals, and GET /jobs/:id of a completed job, on the real API. Beside it an Express app that
answers with the rows of one Knex query from the same tables, without a credential and without limits.`,
  options: {
    connections: { default: '64', about: 'connections at once' },
    seconds: { default: '5', about: 'seconds of a turn' }
  },
  async measure({ run, options: { connections, seconds }, ...tools }) {
    const stage = await openStage({ ...tools, broker: false })
    const load = await openLoad(stage)
    const api = await stage.startApi()
    const plain = await stage.startProgram('baselines/express-knex.ts', { DATABASE_URL: stage.databaseUrl })
    const [reader] = (await makePeople(stage, 1)) as [Person]
    const goalIds = await makeGoals(api.url, reader)
    const jobId = await makeCompletedJob(stage, api.url, reader)

    const compareReads = async (title: string, path: string, plainPath: string, ids: string[]) => {
      const ours = { url: `${api.url}/api/v1${path}`, headers: { authorization: reader.authorization } }
      const other = { url: plain.url + plainPath, headers: {} }
      for (const { url, headers } of [ours, other]) await mustHold(url, headers, ids)
      const side = (name: string, { url, headers }: typeof ours | typeof other) => ({
        name,
        turn: () => reads(load, url, headers as Record<string, string>, ids[0] as string, connections, seconds)
      })
      return await run({
        title: `${title}, ${connections} connections`,
        unit: 'a second',
        better: 'more',
        ours: side('AI Goals Tracker', ours),
        others: [side('Express + one Knex query', other)],
        mustReach: 0.6,
        aim: 1
      })
    }
    return {
      comparisons: [
        await compareReads('GET /goals', '/goals', `/users/${reader.id}/goals`, goalIds),
        await compareReads('GET /jobs/:id', `/jobs/${jobId}`, `/jobs/${jobId}`, [jobId])
      ]
    }
  }
})

async function reads(
  load: Load,
  url: string,
  headers: Record<string, string>,
  includes: string,
  connections: number,
  seconds: number
): Promise<number> {
  const answer = await load({ url, method: 'GET', connections, seconds, headers: [headers], status: 200, includes })
  return answer.right / answer.seconds
}

/** Both sides answer with the same rows. */
async function mustHold(url: string, headers: Record<string, string>, ids: string[]): Promise<void> {
  const text = await (await fetch(url, { headers })).text()
  const missing = ids.filter((id) => !text.includes(id))
  if (missing.length > 0) throw new Error(`${url} does not have ${missing.join(', ')}: ${text.slice(0, 200)}`)
}

async function makeGoals(apiUrl: string, { authorization }: Person): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < goals; n++) {
    const body = { title: `Goal ${n}`, description: 'Write a function that calls itself, and say when it stops.' }
    ids.push((await post<{ id: string }>(`${apiUrl}/api/v1/goals`, authorization, body)).id)
  }
  return ids
}

/** A job that a worker has completed; the worker is stopped again. */
async function makeCompletedJob(stage: Stage, apiUrl: string, { authorization }: Person): Promise<string> {
  const workers = await stage.startWorkers()
  const body = { language: 'javascript', source: 'export const twice = (n) => n * 2\n' }
  const { id } = await post<{ id: string }>(`${apiUrl}/api/v1/code-validations`, authorization, body)
  const deadline = Date.now() + 60_000
  for (;;) {
    const response = await fetch(`${apiUrl}/api/v1/jobs/${id}`, { headers: { authorization } })
    const { status } = (await response.json()) as { status: string }
    if (status === 'completed') break
    if (Date.now() > deadline) throw new Error(`the job that is to be read stays ${status}`)
    await delay(100)
  }
  await workers.stop()
  return id
}

async function post<T>(url: string, authorization: string, body: object): Promise<T> {
  const headers = { authorization, 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${url} was answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as T
}
