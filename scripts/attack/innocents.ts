import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, json } from './http.ts'
import type { People, Person } from './people.ts'
import type { Receiver } from './receiver.ts'

/** What an innocent user does while others attack; each is timed from asking to having it. */
export const activities = ['live', 'read', 'search', 'review', 'login', 'delivery'] as const
export type Activity = (typeof activities)[number]

export type Waits = Record<Activity, number[]>
export type Watch = {
  waits: Waits
  /** answers that an innocent user should not get, by activity and status */
  refused: Map<string, number>
}

/** Counted as waited when nothing came: how long is waited for one thing. */
const patienceMs = 60_000

/** How many there are, and how long each rests between two things of the same kind. Every login costs a password hash. */
export type Comers = { count: number; pauseMs: number }

export type Innocents = {
  /** Uses the platform as people do until the signal, and a little longer, to finish what has begun. */
  use(signal: AbortSignal): Promise<Watch>
}

/**
 * People with addresses of their own who stay far below every limit. Each activity has its own loop, so that one that
 * hangs hides no other.
 */
export async function createInnocents(
  { client: clientAt, newPerson }: Pick<People, 'client' | 'newPerson'>,
  receiver: Receiver,
  { count, pauseMs }: Comers
): Promise<Innocents> {
  const people: Person[] = []
  for (let n = 0; n < count; n++) {
    const person = await newPerson()
    const answer = await person.client.send('/api/v1/webhooks', {
      token: person.token,
      body: { url: `${receiver.url}/answer/${person.id}`, events: ['goal.created'] }
    })
    if (answer.status !== 201) throw new Error(`a webhook was answered ${answer.status}: ${answer.text.slice(0, 200)}`)
    people.push(person)
  }
  const person = (n: number): Person => people[n % people.length] as Person
  let turn = 0

  const does: Record<Activity, (who: Person, n: number) => Promise<Answer | 'late'>> = {
    live: ({ client }) => client.send('/health/live', { timeoutMs: patienceMs }),
    read: ({ client, token }) => client.send('/api/v1/goals', { token, timeoutMs: patienceMs }),
    search: (who, n) => untilEnded(who, '/api/v1/rag/search', { query: `how do loops end ${n}` }),
    review: (who, n) =>
      untilEnded(who, '/api/v1/code-validations', { language: 'javascript', source: `export const a${n} = ${n}\n` }),
    login: ({ email, password }, n) => {
      const client = clientAt(`127.3.${(n >> 7) & 255}.${(n & 127) + 1}`)
      return client
        .send('/api/v1/auth/token', { body: { email, password }, timeoutMs: patienceMs })
        .finally(() => client.close())
    },
    delivery: async (who, n) => {
      const title = `delivered ${n} ${performance.now()}`
      const answer = await who.client.send('/api/v1/goals', {
        token: who.token,
        body: { title },
        timeoutMs: patienceMs
      })
      if (answer.status !== 201) return answer
      const deadline = performance.now() + patienceMs
      while (performance.now() < deadline) {
        if (receiver.got(who.id, title)) return answer
        await delay(20)
      }
      return 'late'
    }
  }

  return {
    async use(signal) {
      const watch: Watch = {
        waits: { live: [], read: [], search: [], review: [], login: [], delivery: [] },
        refused: new Map()
      }
      await Promise.all(
        activities.map(async (activity) => {
          do {
            const n = turn++
            const startedAt = performance.now()
            const answer = await patiently(() => does[activity](person(n), n))
            const tookMs = answer === 'late' ? patienceMs : performance.now() - startedAt
            const ok = answer !== 'late' && answer.status >= 200 && answer.status < 300
            if (!ok) {
              const what = `${activity} ${answer === 'late' ? 'late' : answer.status}`
              watch.refused.set(what, (watch.refused.get(what) ?? 0) + 1)
            }
            // Being turned away at once is no short wait.
            watch.waits[activity].push(ok ? tookMs : patienceMs)
            await delay(pauseMs * (activity === 'live' || activity === 'read' ? 0.5 : 2), undefined, { signal }).catch(
              () => undefined
            )
          } while (!signal.aborted)
        })
      )
      return watch
    }
  }
}

/** Comes again when it is told to, as clients should: the whole wait counts. */
async function patiently(use: () => Promise<Answer | 'late'>): Promise<Answer | 'late'> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const answer = await use()
    if (answer === 'late' || answer.status !== 503 || performance.now() > deadline) return answer
    await delay(1_000 * Number(answer.headers['retry-after'] ?? 1))
  }
}

/** Submits a job and waits for its end. */
async function untilEnded({ client, token }: Person, path: string, body: unknown): Promise<Answer | 'late'> {
  const deadline = performance.now() + patienceMs
  let answer = await client.send(path, { token, body, headers: { prefer: 'wait=30' }, timeoutMs: patienceMs })
  while (answer.status === 202 || (answer.status === 200 && isOpen(answer))) {
    if (performance.now() > deadline) return 'late'
    const { id } = json<{ id: string }>(answer)
    answer = await client.send(`/api/v1/jobs/${id}`, {
      token,
      headers: { prefer: 'wait=30' },
      timeoutMs: patienceMs
    })
  }
  if (answer.status !== 200) return answer
  return json<{ status: string }>(answer).status === 'completed' ? answer : { ...answer, status: 0 }
}

const isOpen = (answer: Answer): boolean => ['queued', 'active'].includes(json<{ status: string }>(answer).status)
