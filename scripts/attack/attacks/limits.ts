import { setTimeout as delay } from 'node:timers/promises'
import { type Attack, type Finding, many, times, unless } from '../attack.ts'
import { type Client, json } from '../http.ts'
import type { Person } from '../people.ts'

/** Many accounts behind one address. */
export const accounts: Attack = {
  name: 'accounts',
  about: 'thirty accounts of one address that submit all they may',
  async prepare(stage, scale) {
    const client = stage.client()
    return { client, people: await many(times(scale, 28), 4, () => stage.newPerson(client)) }
  },
  async run(_stage, scale, prepared) {
    const { client, people } = prepared as { client: Client; people: Person[] }
    const startedAt = performance.now()
    let accepted = 0
    const each = Math.max(20, times(scale, 100))
    await many(people.length * each, 64, async (n) => {
      const { token } = people[n % people.length] as (typeof people)[number]
      const kind = Math.floor(n / people.length) / each
      const [path, body] =
        kind < 0.6
          ? ['/api/v1/rag/search', { query: `question ${n}` }]
          : kind < 0.8
            ? ['/api/v1/embeddings', { input: `text ${n}` }]
            : ['/api/v1/chat', { message: `question ${n}` }]
      const answer = await client.send(path as string, { token, body })
      if (answer.status === 202) accepted++
    })
    const allowed = 600 + ((performance.now() - startedAt) / 60_000) * 600 + 10
    return unless(
      accepted <= allowed,
      `${accepted} jobs of one address were accepted, ${Math.round(allowed)} are allowed`
    )
  }
}

const floodMs = 15_000
const countedWithinMs = 20_000

/** Refused requests that leave a trace each. */
export const refusals: Attack = {
  name: 'refusals',
  about: 'a flood of requests that are refused, of a user and of a stranger',
  prepare: (stage) => stage.newPerson(),
  async run(stage, scale, prepared) {
    const { client, token, id } = prepared as Person
    const until = performance.now() + floodMs * scale.share
    let refused = 0
    await many(16, 16, async () => {
      while (performance.now() < until) {
        const answer = await client.send('/api/v1/users/me', { token })
        if (answer.status === 429) refused++
      }
    })
    const admin = stage.client()
    const from = new Date(Date.now() - 10 * 60_000).toISOString()
    const get = (path: string) => admin.send(path, { token: stage.adminKey })
    // What was decided is written down a little later.
    const deadline = performance.now() + countedWithinMs
    const blockedOf = async () =>
      json<{ totals?: { blocked: number } }>(
        await get(`/api/v1/admin/rate-limits/statistics?userId=${id}&from=${from}`)
      ).totals?.blocked
    let blocked = await blockedOf()
    while (blocked !== refused && performance.now() < deadline) {
      await delay(500)
      blocked = await blockedOf()
    }
    let rows = 0
    let cursor = ''
    do {
      const page: { data?: unknown[]; nextCursor?: string | null } = json(
        await get(`/api/v1/admin/rate-limits/audits?userId=${id}&outcome=blocked&limit=100${cursor}`)
      )
      rows += page.data?.length ?? 0
      cursor = page.nextCursor ? `&cursor=${page.nextCursor}` : ''
    } while (cursor !== '' && rows < 2_000)
    return [
      ...unless(rows <= 130, `${rows} rows for ${refused} refusals`),
      ...unless(blocked === refused, `the figures know ${blocked} of ${refused} refusals`)
    ]
  }
}

/** Who had a credential when they asked, and has none any more. */
export const revoked: Attack = {
  name: 'revoked',
  about: 'answers that are held while their credential is revoked',
  prepare: (stage, scale) => many(times(scale, 5), 5, () => stage.newPerson()),
  async run(_stage, scale, prepared) {
    const findings: Finding[] = []
    const people = prepared as Person[]
    // A backlog of one's own makes sure that the job is not done at once.
    await many(people.length, people.length, async (n) => {
      const { client, token } = people[n] as Person
      const goals = Array.from({ length: Math.max(100, times(scale, 400)) }, (_, n) => ({
        title: `Goal ${n}`,
        description: 'text '.repeat(50)
      }))
      await client.send('/api/v1/bulk', { token, body: { goals } })
      const chat = await client.send('/api/v1/chat', { token, body: { message: 'Tell me everything about loops' } })
      const { id, threadId } = json<{ id: string; threadId?: string }>(chat)
      const held = [
        client.send(`/api/v1/jobs/${id}`, { token, headers: { prefer: 'wait=25' } }),
        client.send('/api/v1/chat', {
          token,
          headers: { prefer: 'wait=25' },
          body: { message: 'And about recursion', ...(threadId ? { threadId } : {}) }
        })
      ]
      await delay(20)
      await client.send('/api/v1/auth/logout', { token, method: 'POST' })
      const endedAt = performance.now()
      await Promise.all(held)
      const late = performance.now() - endedAt
      findings.push(...unless(late < 2_000, `an answer was held for ${Math.round(late)} ms without a credential`))
    })
    return [...new Set(findings)]
  }
}
