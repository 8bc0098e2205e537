import { setTimeout as delay } from 'node:timers/promises'
import { type Attack, type Finding, many, times, unless } from '../attack.ts'
import { json } from '../http.ts'
import type { Person } from '../people.ts'

const patienceMs = 90_000

/** Legal events to as many webhooks as people may have: together more than one statement takes. */
export const batches: Attack = {
  name: 'batches',
  about: 'many large events of people with twenty webhooks each, in the batches that everybody shares',
  async prepare(stage, scale) {
    return { people: await many(times(scale, 8), 8, () => stage.newPerson()), other: await stage.newPerson() }
  },
  async run(stage, scale, prepared) {
    const findings: Finding[] = []
    const { people, other } = prepared as { people: Person[]; other: Person }
    await Promise.all(
      people.map((person) =>
        many(20, 4, async (n) => {
          const url = `${stage.receiver.url}/answer/attacker/${person.id}/${n}`
          const answer = await person.client.send('/api/v1/webhooks', {
            token: person.token,
            body: { url, events: ['client.*'] }
          })
          findings.push(...unless(answer.status === 201, `a webhook was answered ${answer.status}`))
        })
      )
    )
    const text = 'x'.repeat(60_000)
    await many(times(scale, 128), 32, async (n) => {
      const { client, token } = people[n % people.length] as Person
      await client.send('/api/v1/events', { token, body: { type: 'client.example', data: { n, text } } })
    })
    // News of somebody else comes through meanwhile and after.
    await other.client.send('/api/v1/webhooks', {
      token: other.token,
      body: { url: `${stage.receiver.url}/answer/${other.id}`, events: ['goal.created'] }
    })
    await other.client.send('/api/v1/goals', { token: other.token, body: { title: 'After the storm' } })
    const deadline = performance.now() + patienceMs
    const arrived = () => stage.receiver.got(other.id)
    while (!arrived() && performance.now() < deadline) await delay(100)
    findings.push(...unless(arrived(), `nothing of another person was delivered within ${patienceMs / 1000} s`))
    const health = json<{ status?: string }>(await other.client.send('/health'))
    findings.push(...unless(health.status !== 'down', `health says ${health.status}`))
    return [...new Set(findings)]
  }
}
