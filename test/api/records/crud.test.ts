import test from 'ava'
import type { z } from 'zod'
import { openApiDocument } from '../../../api/openapi/document.ts'
import { allRecordEndpoints } from '../../../api/routes/records.ts'
import { codeSnapshotSchema } from '../../../lib/schemas/code-snapshot.ts'
import { courseSchema } from '../../../lib/schemas/course.ts'
import { documentSchema } from '../../../lib/schemas/document.ts'
import { eventSchema } from '../../../lib/schemas/event.ts'
import { goalSchema } from '../../../lib/schemas/goal.ts'
import { problemSchema } from '../../../lib/schemas/problem.ts'
import { taskSchema } from '../../../lib/schemas/task.ts'
import { recordsApiForFile, type Answer, type Sender } from '../../helpers/records-api.ts'

const api = recordsApiForFile(test)

const unknownId = '0198aaaa-0000-7000-8000-000000000000'

type Kind = {
  path: string
  schema: z.ZodObject
  body: (made: Record<string, string>) => object
  patch: object
  patched: object
  /** bodies that are refused, and the fields that are named */
  wrong: [object, string[]][]
}

const nul = 'a\u0000b'
const surrogate = JSON.parse('"\\ud800"') as string
const big = (n: number) => 'x'.repeat(n)

const kinds: Record<string, Kind> = {
  course: {
    path: '/courses',
    schema: courseSchema,
    body: () => ({ title: ' Sorting ', description: 'All about it', subject: 'python', visibility: 'enrolled' }),
    patch: { title: 'Sorting well', description: null, visibility: 'public', language: 'pt-BR' },
    patched: { title: 'Sorting well', description: null, visibility: 'public', language: 'pt-BR', subject: 'python' },
    wrong: [
      [{}, ['title']],
      [{ title: '  ' }, ['title']],
      [{ title: 'x', visibility: 'secret', language: '', ownerId: unknownId }, ['language', 'ownerId', 'visibility']],
      [{ title: nul }, ['title']],
      [{ title: big(301), description: surrogate }, ['description', 'title']],
      [{ title: 'x', description: big(100_001) }, ['description']]
    ]
  },
  goal: {
    path: '/goals',
    schema: goalSchema,
    body: ({ course }) => ({ title: 'Sort', courseId: course, dueAt: '2030-01-01T12:00:00+02:00' }),
    patch: { status: 'archived', dueAt: null, courseId: null },
    patched: { status: 'archived', dueAt: null, courseId: null, title: 'Sort' },
    wrong: [
      [{ title: 'x', progress: 1, id: unknownId, userId: unknownId }, ['id', 'progress', 'userId']],
      [{ title: 'x', dueAt: 'tomorrow' }, ['dueAt']],
      [{ title: 'x', dueAt: '0000-01-01T00:00:00Z' }, ['dueAt']],
      [{ title: 'x', courseId: 'x' }, ['courseId']],
      [{ title: 'x', courseId: unknownId }, ['courseId']],
      [{ title: 1, status: null }, ['status', 'title']]
    ]
  },
  task: {
    path: '/tasks',
    schema: taskSchema,
    body: ({ goal }) => ({ goalId: goal, title: 'Bubble', description: '# How', position: 3 }),
    patch: { status: 'completed', position: 0 },
    patched: { status: 'completed', position: 0 },
    wrong: [
      [{ title: 'x' }, ['goalId']],
      [{ title: 'x', goalId: unknownId }, ['goalId']],
      [{ title: 'x', goalId: unknownId, position: -1 }, ['position']],
      [
        { title: 'x', goalId: unknownId, position: 1.5, completedAt: '2030-01-01T12:00:00Z' },
        ['completedAt', 'position']
      ],
      [{ title: 'x', goalId: unknownId, position: 1e12 }, ['position']]
    ]
  },
  'code snapshot': {
    path: '/code-snapshots',
    schema: codeSnapshotSchema,
    body: ({ task }) => ({ language: 'python', source: 'print("é")\n', taskId: task, path: 'a.py', note: 'first' }),
    patch: { note: null, source: 'x' },
    patched: { note: null, source: 'x', sizeBytes: 1 },
    wrong: [
      [{}, ['language', 'source']],
      [{ language: 'c', source: 'é'.repeat(131_073) }, ['source']],
      [{ language: 'c', source: '' }, ['source']],
      [{ language: 'c', source: 'x', taskId: unknownId }, ['taskId']],
      [{ language: nul, source: nul, sizeBytes: 1 }, ['language', 'sizeBytes', 'source']]
    ]
  },
  document: {
    path: '/documents',
    schema: documentSchema,
    body: ({ course }) => ({ title: 'Page', markdown: '# Page\n\nText', courseId: course }),
    patch: { markdown: '# New' },
    patched: { markdown: '# New', chunks: 0, embeddedAt: null },
    wrong: [
      [{ title: 'x' }, ['markdown']],
      [{ title: 'x', markdown: big(5 * 1024 * 1024 + 1) }, ['markdown']],
      [{ title: 'x', markdown: 'x', courseId: unknownId }, ['courseId']],
      [{ title: 'x', markdown: 'x', chunks: 4 }, ['chunks']]
    ]
  }
}

async function made(send: Sender, upTo: string): Promise<Record<string, string>> {
  const ids: Record<string, string> = {}
  for (const [name, { path, body }] of Object.entries(kinds)) {
    if (name === upTo) break
    ids[name] = (await send('POST', path, body(ids))).body.id
  }
  return ids
}

const isProblem = ({ headers, body, status }: Answer) =>
  (headers.get('content-type') ?? '').startsWith('application/problem+json') &&
  problemSchema.safeParse(body).success &&
  body.status === status

for (const [name, kind] of Object.entries(kinds)) {
  // Others' public courses are in everybody's list.
  const ownOf = (id: string) => `${'ownerId' in kind.schema.shape ? 'ownerId' : 'userId'}=${id}`

  test(`a ${name} is created, read, changed and deleted`, async (t) => {
    const { newClient } = await api()
    const { id, send } = await newClient()
    const body = kind.body(await made(send, name))

    const created = await send('POST', kind.path, body)
    t.is(created.status, 201)
    t.deepEqual(kind.schema.strict().parse(created.body), created.body)
    const path = `${kind.path}/${created.body.id}`
    t.is(created.headers.get('location'), `/api/v1${path}`)

    const read = await send('GET', path)
    t.is(read.status, 200)
    t.deepEqual(read.body, created.body)
    const etag = read.headers.get('etag') as string
    t.regex(etag, /^"[\w-]+"$/)
    t.is(created.headers.get('etag'), etag)
    const again = await send('GET', path, undefined, { 'If-None-Match': `"x", ${etag}` })
    t.is(again.status, 304)
    t.falsy(again.body)

    const same = await send('PATCH', path, {})
    t.deepEqual([same.status, same.body, same.headers.get('etag')], [200, created.body, etag])
    const patched = await send('PATCH', path, kind.patch, { 'If-Match': etag })
    t.is(patched.status, 200)
    t.like(patched.body, kind.patched)
    t.true(patched.body.updatedAt > created.body.updatedAt)
    t.not(patched.headers.get('etag'), etag)
    const late = await send('PATCH', path, kind.patch, { 'If-Match': etag })
    t.is(late.status, 412)
    t.true(isProblem(late))
    t.deepEqual((await send('GET', path)).body, patched.body)

    const list = await send('GET', `${kind.path}?limit=1&${ownOf(id)}`)
    t.deepEqual([list.status, list.body], [200, { data: [patched.body], nextCursor: null }])

    const deleted = await send('DELETE', path)
    t.deepEqual([deleted.status, deleted.body], [204, undefined])
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const gone = await send(method, path, method === 'PATCH' ? {} : undefined)
      t.is(gone.status, 404)
      t.true(isProblem(gone))
    }
  })

  test(`a wrong ${name} is refused naming each wrong field, and nothing is stored`, async (t) => {
    const { newClient } = await api()
    const { id, send } = await newClient()
    for (const [body, fields] of kind.wrong) {
      const answer = await send('POST', kind.path, body)
      t.is(answer.status, 422, JSON.stringify(body).slice(0, 100))
      t.true(isProblem(answer))
      const paths = new Set(answer.body.errors.map(({ path }) => path))
      t.deepEqual([...paths].toSorted(), fields, JSON.stringify(body).slice(0, 100))
    }
    for (const body of ['[]', 'null', '"x"', '3']) {
      t.is((await send('POST', kind.path, body)).status, 422, String(body))
    }
    t.is((await send('POST', kind.path, '{"title":')).status, 400)
    t.is((await send('POST', kind.path, 'title=x', { 'Content-Type': 'text/plain' })).status, 415)
    t.deepEqual((await send('GET', `${kind.path}?${ownOf(id)}`)).body, { data: [], nextCursor: null })
  })

  test(`a list of ${name}s takes known parameters only`, async (t) => {
    const { newClient, stranger } = await api()
    const { send } = await newClient()
    for (const query of [
      'limit=0',
      'limit=101',
      'limit=x',
      'limit=',
      'limit=1&limit=2',
      'cursor=x',
      'cursor=',
      'page=2',
      'x'
    ]) {
      const answer = await send('GET', `${kind.path}?${query}`)
      t.is(answer.status, 422, query)
      t.true(isProblem(answer))
    }
    t.is((await stranger('GET', kind.path)).status, 401)
    t.is((await send('GET', `${kind.path}/${unknownId}`)).status, 404)
    t.is((await send('GET', `${kind.path}/x`)).status, 404)
    t.is((await send('PUT', kind.path, {})).status, 405)
  })

  test(`a ${name} of another person is not there`, async (t) => {
    const { newClient } = await api()
    const [owner, other] = [await newClient(), await newClient()]
    const ids = await made(owner.send, name)
    const { body } = await owner.send('POST', kind.path, kind.body(ids))
    if (name === 'course') await owner.send('PATCH', `/courses/${body.id}`, { visibility: 'private' })
    const path = `${kind.path}/${body.id}`
    for (const [method, sent] of [['GET'], ['PATCH', {}], ['PATCH', { nonsense: 1 }], ['DELETE']] as const) {
      const { status } = await other.send(method, path, sent)
      t.true(status === 404 || (sent !== undefined && 'nonsense' in sent && status === 422), `${method} ${status}`)
    }
    t.is((await owner.send('GET', path)).status, 200)
  })
}

test('completing a task over HTTP moves its goal and can be repeated', async (t) => {
  const { newClient } = await api()
  const { send } = await newClient()
  const ids = await made(send, 'code snapshot')
  const first = await send('POST', `/tasks/${ids.task}/complete`)
  t.deepEqual([first.status, first.body.status], [200, 'completed'])
  t.regex(first.body.completedAt as string, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  t.deepEqual((await send('POST', `/tasks/${ids.task}/complete`)).body, first.body)
  t.is((await send('GET', `/goals/${ids.goal}`)).body.progress, 1)
  t.is((await send('POST', `/tasks/${ids.goal}/complete`)).status, 404)
})

test('the documents of a course are written and read below it', async (t) => {
  const { newClient } = await api()
  const [owner, other] = [await newClient(), await newClient()]
  const { body: course } = await owner.send('POST', '/courses', { title: 'Course' })
  const path = `/courses/${course.id}/documents`
  const created = await owner.send('POST', path, { title: 'Page', markdown: big(3 * 1024 * 1024) })
  t.is(created.status, 201)
  t.is(created.body.courseId, course.id)
  t.is(created.headers.get('location'), `/api/v1/documents/${created.body.id}`)
  t.deepEqual((await owner.send('GET', path)).body.data, [created.body])
  t.is((await other.send('GET', path)).status, 404)
  t.is((await other.send('POST', path, { title: 'x', markdown: 'x' })).status, 404)
  t.is((await owner.send('POST', path, { title: 'x', markdown: 'x', courseId: course.id })).status, 422)

  await owner.send('PATCH', `/courses/${course.id}`, { visibility: 'public' })
  t.is((await other.send('GET', path)).status, 200)
  t.is((await other.send('POST', path, { title: 'x', markdown: 'x' })).status, 403)
  t.is((await other.send('DELETE', `/documents/${created.body.id}`)).status, 403)
  t.is((await other.send('POST', '/documents', { title: 'x', markdown: 'x' })).status, 403)
})

test('people are enrolled in a course and leave it', async (t) => {
  const { newClient } = await api()
  const [owner, learner] = [await newClient(), await newClient()]
  const { body: course } = await owner.send('POST', '/courses', { title: 'Course' })
  const path = `/courses/${course.id}/enrollments`
  t.is((await learner.send('GET', `/courses/${course.id}`)).status, 404)
  const enrolled = await owner.send('POST', path, { userId: learner.id })
  t.is(enrolled.status, 201)
  t.like(enrolled.body, { courseId: course.id, userId: learner.id })
  const location = (enrolled.headers.get('location') as string).replace('/api/v1', '')
  t.deepEqual((await owner.send('GET', location)).body, enrolled.body)
  t.is((await owner.send('POST', path, { userId: learner.id })).status, 409)
  for (const body of [{ userId: unknownId }, { userId: 'x' }, {}]) {
    const refused = await owner.send('POST', path, body)
    t.deepEqual([refused.status, refused.body.errors[0]?.path], [422, 'userId'])
  }
  t.is((await learner.send('GET', `/courses/${course.id}`)).status, 200)
  t.deepEqual((await owner.send('GET', path)).body, { data: [enrolled.body], nextCursor: null })
  t.is((await owner.send('DELETE', location)).status, 204)
  t.is((await owner.send('DELETE', location)).status, 404)
  t.is((await learner.send('GET', `/courses/${course.id}`)).status, 404)
})

test('events are told and read, and never changed', async (t) => {
  const { newClient } = await api()
  const { send } = await newClient()
  const told = await send('POST', '/events', {
    type: 'client.page.opened',
    subject: 'intro',
    data: { ms: 12, tags: ['a'] }
  })
  t.is(told.status, 201)
  t.deepEqual(eventSchema.strict().parse(told.body), told.body)
  t.like(told.body, { type: 'client.page.opened', subject: 'intro', data: { ms: 12, tags: ['a'] } })
  const path = (told.headers.get('location') as string).replace('/api/v1', '')
  t.is((await send('GET', path)).body.id, told.body.id)
  for (const method of ['PATCH', 'DELETE', 'PUT']) {
    const refused = await send(method, path, method === 'DELETE' ? undefined : {})
    t.is(refused.status, 405)
    t.is(refused.headers.get('allow'), 'GET, HEAD, OPTIONS')
  }
  const deep = `${'['.repeat(100)}${']'.repeat(100)}`
  for (const body of [
    { type: 'goal.created' },
    { type: 'client' },
    { type: 'client.' },
    { type: 'clientele.x' },
    { type: 'client.x y' },
    { type: 'client.x', data: { text: big(65_537) } },
    { type: 'client.x', data: { [nul]: 1 } },
    { type: 'client.x', data: [[{ a: surrogate }]] },
    { type: 'client.x', position: 1 },
    `{"type":"client.x","data":${deep}}`
  ]) {
    t.is((await send('POST', '/events', body)).status, 422, JSON.stringify(body).slice(0, 80))
  }
  t.is((await send('POST', '/events', { type: 'client.x', data: null })).body.data, null)
  t.deepEqual((await send('POST', '/events', { type: 'client.x' })).body.data, {})
  t.is((await send('GET', '/events?type=client.page.*')).body.data?.length, 1)
  t.is((await send('GET', '/events?after=-1')).status, 422)
})

test('all record routes and their schemas stand in the OpenAPI document', async (t) => {
  const { records } = await api()
  const endpoints = allRecordEndpoints({ records })
  const { paths } = openApiDocument({ endpoints, basePath: '/api/v1', version: '0' }) as {
    paths: Record<string, Record<string, { requestBody?: unknown }>>
  }
  for (const { method, path, body } of endpoints) {
    const operation = paths[`/api/v1${path.replaceAll(/:(\w+)/g, '{$1}')}`]?.[method]
    t.truthy(operation, `${method} ${path}`)
    t.is(operation?.requestBody !== undefined, body !== undefined)
  }
})
