import { type Attack, type Finding, many, times, unless } from '../attack.ts'
import { type Answer, json } from '../http.ts'
import type { Person } from '../people.ts'

/** Markdown on which a parser that looks back or ahead takes quadratic time; its length grows with the argument. */
const documents: Record<string, (kib: number) => string> = {
  backticks: (kib) => Array.from({ length: 22 * Math.sqrt(kib) }, (_, n) => `${'`'.repeat(n + 1)} `).join(''),
  'backticks in lines': (kib) => '`a\n\n``b\n'.repeat(52 * kib),
  headings: (kib) => '#\n'.repeat(60 * kib),
  'heading depths': (kib) => Array.from({ length: 40 * kib }, (_, n) => `${'#'.repeat((n % 6) + 1)} ${n}\n`).join(''),
  lists: (kib) => '- an item of a list\n'.repeat(250 * kib),
  'nested lists': (kib) => Array.from({ length: 47 * Math.sqrt(kib) }, (_, n) => `${' '.repeat(n * 2)}- x\n`).join(''),
  quotes: (kib) => `${'> '.repeat(100 * kib)}x\n`,
  'open brackets': (kib) => '['.repeat(500 * kib),
  'open links': (kib) => '[a]('.repeat(200 * kib),
  'equal lines': (kib) => 'the same line\n'.repeat(300 * kib),
  'one long word': (kib) => 'a'.repeat(2_000 * kib),
  fences: (kib) => '```\n'.repeat(300 * kib),
  tags: (kib) => '<a '.repeat(500 * kib),
  stars: (kib) => '*a_ '.repeat(400 * kib)
}

/** Documents, questions and sources that take a reader far more time than their size. */
export const texts: Attack = {
  name: 'texts',
  about: 'documents, snapshots, questions and queries that are slow to read',
  prepare: (stage) => stage.newPerson(),
  async run(_stage, scale, prepared) {
    const findings: Finding[] = []
    const person = prepared as Person
    const { client, token } = person
    const { id: courseId } = json<{ id: string }>(
      await client.send('/api/v1/courses', { token, body: { title: 'Course' } })
    )
    const names = Object.keys(documents)
    const kib = 1_024 * Math.sqrt(scale.share)
    const chosen = names.slice(0, times(scale, names.length))
    await many(chosen.length, 4, async (n) => {
      const name = chosen[n] as string
      const markdown = (documents[name] as (kib: number) => string)(kib)
      const answer = await client.send(`/api/v1/courses/${courseId}/documents`, {
        token,
        body: { title: name, markdown }
      })
      findings.push(...unless(answer.status === 201, `a document of ${name} was answered ${answer.status}`))
    })
    const queries = ['-word '.repeat(990), '"'.repeat(900), '('.repeat(900), 'a-'.repeat(450)]
    const sources = ['f<T>('.repeat(24), '('.repeat(20_000), '`${'.repeat(8_000), 'if x:\n '.repeat(5_000)]
    await many(times(scale, 8), 4, async (n) => {
      const query = queries[n % queries.length] as string
      const source = sources[n % sources.length] as string
      const asked = await client.send('/api/v1/rag/search', { token, body: { query } })
      findings.push(...unless(asked.status === 202 || asked.status === 422, `a query was answered ${asked.status}`))
      const language = n % 4 === 3 ? 'python' : 'typescript'
      const sent = await client.send('/api/v1/code-validations', { token, body: { language, source } })
      findings.push(...unless(sent.status === 202, `a source was answered ${sent.status}`))
      await client.send('/api/v1/chat', { token, body: { message: `${'<a '.repeat(1_000)}${n}`, courseId } })
    })
    findings.push(...(await untilDone(person, chosen.length)))
    const health = await client.send('/health')
    findings.push(...unless(!/"workers":\{"state":"down"/.test(health.text), 'health says that the workers are down'))
    return findings
  }
}

const patienceMs = 240_000
const allowedFailures = ['too_complex', 'invalid_input', 'context_length_exceeded']

/** Every job comes to an end, and one that fails says why by a name of its own. */
async function untilDone({ client, token }: Person, atLeast: number): Promise<Finding[]> {
  const deadline = performance.now() + patienceMs
  type Jobs = { data: { id: string; status: string; action: string; error: { code: string } | null }[] }
  const list = async (path: string): Promise<Jobs['data']> => {
    const answer: Answer = await client.send(path, { token })
    return json<Partial<Jobs>>(answer).data ?? []
  }
  for (;;) {
    const open = [
      ...(await list('/api/v1/jobs?status=queued&origin=system&limit=100')),
      ...(await list('/api/v1/jobs?status=active&origin=system&limit=100'))
    ]
    const done = await list('/api/v1/jobs?origin=system&limit=100')
    if (open.length === 0 && done.length >= atLeast) {
      const odd = done.filter(
        ({ status, error }) => status === 'failed' && !allowedFailures.includes(error?.code ?? '')
      )
      return odd.map(({ action, error }) => `a job of ${action} failed as ${error?.code ?? 'nothing'}`)
    }
    if (performance.now() > deadline) return [`${open.length} jobs are open after ${patienceMs / 1000} s`]
    await new Promise((resolve) => setTimeout(resolve, 3_000))
  }
}
