import { setTimeout as delay } from 'node:timers/promises'
import type { JobView } from '../../lib/schemas/job.ts'
import { pick } from './random.ts'
import type { Stage } from './stage.ts'

export type Learner = { id: string; token: string }
export type Accepted = { id: string; action: string; learner: Learner; cancelled: boolean; records: string[] }
export type Tally = {
  accepted: Accepted[]
  answers5xx: number
  otherAnswers: Map<number, number>
  wrongReplays: number
}

const patienceMs = 120_000
const topics = [
  'recursion',
  'sorting',
  'closures',
  'prime numbers',
  'string reversal',
  'binary search',
  'graphs',
  'hash maps'
]

/** Sends until it is answered: connection failures and 503 are tried again with the same key, as a client would. */
async function send(
  stage: Stage,
  learner: Learner | undefined,
  path: string,
  body: unknown,
  headers: Record<string, string>,
  random: () => number,
  tally: Tally
): Promise<{ status: number; body: unknown }> {
  const deadline = Date.now() + patienceMs
  for (;;) {
    try {
      const response = await fetch(`${pick(random, stage.apiUrls)}/api/v1${path}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(learner ? { authorization: `Bearer ${learner.token}` } : {}),
          ...headers
        },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(15_000)
      })
      if (response.status === 500) tally.answers5xx += 1
      if (response.status < 500 && response.status !== 429)
        return { status: response.status, body: await response.json() }
      await response.body?.cancel()
    } catch {
      // nobody there, or broken off: the key makes trying again harmless
    }
    if (Date.now() > deadline) throw new Error(`no answer to ${path} within ${patienceMs / 1000} s`)
    await delay(100 + random() * 200)
  }
}

export async function register(stage: Stage, count: number, seed: number, tally: Tally): Promise<Learner[]> {
  return await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const login = { email: `learner-${seed}-${n}@example.test`, password: 'a password of length' }
      const body = { ...login, name: 'Learner' }
      let answer = await send(stage, undefined, '/auth/register', body, {}, Math.random, tally)
      // Registered by a try whose answer was lost.
      if (answer.status === 409) answer = await send(stage, undefined, '/auth/token', login, {}, Math.random, tally)
      if (answer.status >= 300) throw new Error(`a learner could not register: ${JSON.stringify(answer.body)}`)
      const { token } = answer.body as { token: string }
      const me = await fetch(`${stage.apiUrls[0]}/api/v1/users/me`, { headers: { authorization: `Bearer ${token}` } })
      return { id: ((await me.json()) as { id: string }).id, token }
    })
  )
}

/** The submission of one job: half of them searches and embeddings, the rest chats, reviews and bulk calls. */
function submission(n: number, random: () => number): { path: string; body: unknown; records: string[] } {
  const topic = pick(random, topics)
  const kind = random()
  if (kind < 0.3) return { path: '/embeddings', body: { input: [`${topic} number ${n}`, topic] }, records: [] }
  if (kind < 0.5) return { path: '/rag/search', body: { query: `${topic} ${n}` }, records: [] }
  if (kind < 0.65) {
    const body = { message: `Question ${n}: how does ${topic} work?`, maxCostUsd: 0.004 }
    return { path: '/chat', body, records: [] }
  }
  if (kind < 0.8) {
    const source = `export const answer${n} = (values) => {\n  var sum = ${n}\n  for (const value of values) sum += value\n  return sum\n}\n`
    return { path: '/code-validations', body: { language: 'javascript', source }, records: [] }
  }
  const titles = [0, 1, 2].map((index) => `goal ${n}.${index}`)
  return {
    path: '/bulk',
    body: { goals: titles.map((title) => ({ title: `${title} about ${topic}` })) },
    records: titles
  }
}

/** Submits `jobs` jobs with keys from many clients at once; sends one in twenty twice and cancels one in fifty. */
export async function submitAll(
  stage: Stage,
  learners: Learner[],
  {
    jobs,
    clients,
    random,
    tally,
    paceMs
  }: { jobs: number; clients: number; random: () => number; tally: Tally; paceMs: number }
): Promise<void> {
  let next = 0
  async function client(): Promise<void> {
    while (next < jobs) {
      const n = next++
      const learner = learners[n % learners.length] as Learner
      const { path, body, records } = submission(n, random)
      const headers = { 'idempotency-key': `"job-${n}"` }
      const times = random() < 0.05 ? 2 : 1
      const answers = await Promise.all(
        Array.from({ length: times }, () => send(stage, learner, path, body, headers, random, tally))
      )
      const ids = new Set<string>()
      for (const { status, body: job } of answers) {
        if (status === 202 || status === 200) ids.add((job as JobView).id)
        else tally.otherAnswers.set(status, (tally.otherAnswers.get(status) ?? 0) + 1)
      }
      if (ids.size > 1) tally.wrongReplays += 1
      const [id] = ids
      if (id === undefined) continue
      const cancelled = random() < 0.02
      if (cancelled) await send(stage, learner, `/jobs/${id}/cancel`, {}, {}, random, tally)
      const { action } = (answers[0] as { body: unknown }).body as JobView
      tally.accepted.push({ id, action, learner, cancelled, records })
      await delay(paceMs * random() * 2)
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
}
