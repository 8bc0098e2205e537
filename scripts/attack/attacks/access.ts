import { type Attack, type Finding, many, times, unless } from '../attack.ts'
import { json } from '../http.ts'
import type { Person } from '../people.ts'
import type { Stage } from '../stage.ts'

type Operation = { method: string; path: string; isPublic: boolean; isAdmin: boolean }

/** Every route of the API's own description, asked by whom it is not for, about what is not theirs. */
export const access: Attack = {
  name: 'access',
  about: 'every operation of /openapi.json as a stranger, as a user on administrators’ routes, and with another’s ids',
  async prepare(stage, scale) {
    // One person may ask a hundred times a minute: the matrix is shared between several.
    return { owner: await stage.newPerson(), others: await many(times(scale, 6), 3, () => stage.newPerson()) }
  },
  async run(stage, _scale, prepared) {
    const findings: Finding[] = []
    const { owner, others } = prepared as { owner: Person; others: Person[] }
    const operations = await operationsOf(stage)
    const ids = await belongings(owner)
    const strangers = others.map(() => stage.client())
    const secrets = Object.values(ids)

    await many(operations.length, 8, async (n) => {
      const { method, path, isPublic, isAdmin } = operations[n] as Operation
      const target = `/api/v1${path.replaceAll(/\{(\w+)\}/g, (_, name: string) => idFor(path, name, ids))}`
      const body = ['POST', 'PUT', 'PATCH'].includes(method) ? {} : undefined
      const sent = { method, ...(body === undefined ? {} : { body }) }
      const about = `${method} ${path}`

      const stranger = strangers[n % strangers.length] as (typeof strangers)[number]
      if (!isPublic) {
        const { status } = await stranger.send(target, sent)
        findings.push(...unless([401, 429].includes(status), `${about} as a stranger: ${status}`))
      }
      if (path === '/auth/logout') return // theirs to do: it would end the credential that is asked with
      const other = others[n % others.length] as Person
      const answer = await other.client.send(target, { ...sent, token: other.token })
      if (isAdmin) findings.push(...unless([403, 429].includes(answer.status), `${about} as a user: ${answer.status}`))
      else if (path.includes('{')) {
        findings.push(
          ...unless(answer.status >= 400 && answer.status < 500, `${about} with another’s id: ${answer.status}`)
        )
      }
      const leaked = answer.status < 400 && secrets.find((id) => answer.text.includes(id))
      findings.push(...unless(!leaked, `${about} showed something of another person`))
    })
    // Lists, references and channels with another's ids.
    const [{ client, token }] = others as [Person]
    const { goal, task, course, snapshot, job } = ids as Record<string, string>
    const referring: [string, unknown][] = [
      ['/api/v1/tasks', { goalId: goal, title: 'Mine now' }],
      ['/api/v1/goals', { title: 'Mine', courseId: course }],
      ['/api/v1/code-snapshots', { language: 'c', source: 'x', taskId: task }],
      ['/api/v1/embeddings', { source: { type: 'goal', id: goal } }],
      ['/api/v1/code-validations', { codeSnapshotId: snapshot }],
      ['/api/v1/rag/search', { tool: 'get_task_context', taskId: task }],
      ['/api/v1/chat', { message: 'What is it about?', goalId: goal }],
      [`/api/v1/jobs/${job}/cancel`, {}]
    ]
    await many(referring.length, 4, async (n) => {
      const [path, body] = referring[n] as (typeof referring)[number]
      const { status } = await client.send(path, { token, body })
      findings.push(...unless([404, 422].includes(status), `${path} that refers to another’s record: ${status}`))
    })
    return findings
  }
}

async function operationsOf(stage: Stage): Promise<Operation[]> {
  type Described = { security?: unknown[]; responses?: Record<string, unknown>; tags?: string[] }
  const { paths = {} } = json<{ paths?: Record<string, Record<string, Described>> }>(
    await stage.client().send('/openapi.json')
  )
  return Object.entries(paths).flatMap(([path, methods]) =>
    path.startsWith('/api/v1')
      ? Object.entries(methods).map(([method, { security, responses = {} }]) => ({
          method: method.toUpperCase(),
          path: path.slice('/api/v1'.length),
          isPublic: security !== undefined && security.length === 0,
          isAdmin: path.includes('/admin/') || (responses['403'] !== undefined && path.endsWith('/users'))
        }))
      : []
  )
}

/** One record of each kind that nobody else may see. @returns their ids by kind */
async function belongings({ client, token, id }: Person): Promise<Record<string, string>> {
  const made: Record<string, string> = { user: id }
  const create = async (kind: string, path: string, body: unknown) => {
    const answer = await client.send(path, { token, body })
    made[kind] = json<{ id: string }>(answer).id
    if (!made[kind]) throw new Error(`${path} was answered ${answer.status}: ${answer.text.slice(0, 200)}`)
  }
  await create('course', '/api/v1/courses', { title: 'Private course' })
  await create('goal', '/api/v1/goals', { title: 'Private goal' })
  await create('task', '/api/v1/tasks', { title: 'Private task', goalId: made.goal })
  await create('snapshot', '/api/v1/code-snapshots', { language: 'c', source: 'x', taskId: made.task })
  await create('document', `/api/v1/courses/${made.course}/documents`, { title: 'Private', markdown: '# Private' })
  await create('webhook', '/api/v1/webhooks', { url: 'https://example.org/', events: ['goal.created'] })
  await create('key', '/api/v1/auth/api-keys', { name: 'private' })
  await create('job', '/api/v1/rag/search', { query: 'private' })
  return made
}

const kinds: [RegExp, string][] = [
  [/\/courses\//, 'course'],
  [/\/goals\//, 'goal'],
  [/\/tasks\//, 'task'],
  [/\/code-snapshots\//, 'snapshot'],
  [/\/documents\//, 'document'],
  [/\/webhooks\//, 'webhook'],
  [/\/api-keys\//, 'key'],
  [/\/jobs\//, 'job'],
  [/\/users\//, 'user']
]

function idFor(path: string, name: string, ids: Record<string, string>): string {
  const kind = name === 'userId' ? 'user' : kinds.find(([pattern]) => pattern.test(path))?.[1]
  return ids[kind ?? 'goal'] as string
}
