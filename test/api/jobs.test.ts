import { randomBytes } from 'node:crypto'
import test from 'ava'
import type { JobAttempt } from '../../lib/schemas/job-attempt.ts'
import type { JobView } from '../../lib/schemas/job.ts'
import { runningApiForFile } from '../helpers/running-api.ts'

const { api } = runningApiForFile(test)

type Page = { data: JobView[]; nextCursor: string | null }

async function person() {
  const { send, ...rest } = await api().newClient()
  const search = async () => (await send<JobView>('POST', '/rag/search', { query: 'stack' })).body.id
  const list = async (query = '') => (await send<Page>('GET', `/jobs${query}`)).body
  return { ...rest, send, search, list }
}

test('a list leaves out results over 64 KiB and says so, the job itself has them', async (t) => {
  const { send, search, list } = await person()
  const results = {
    dense: { text: randomBytes(100 * 1024).toString('base64') },
    repetitive: { text: 'x'.repeat(100 * 1024) },
    small: { text: 'x' }
  }
  const ids: Record<string, string> = {}
  for (const [name, result] of Object.entries(results)) {
    const id = await search()
    await api()
      .context.knex('jobs')
      .where({ id })
      .update({ status: 'completed', result: JSON.stringify(result), finished_at: new Date() })
    ids[name] = id
  }
  const { data } = await list()
  const listed = (name: string) => data.find(({ id }) => id === ids[name])
  for (const name of ['dense', 'repetitive'] as const) {
    t.like(listed(name), { status: 'completed', result: null, resultOmitted: true }, name)
    const { body } = await send<JobView>('GET', `/jobs/${ids[name]}`)
    t.deepEqual(body.result, results[name])
    t.false('resultOmitted' in body)
  }
  t.deepEqual(listed('small'), (await send<JobView>('GET', `/jobs/${ids.small}`)).body)
})

test('jobs are listed newest first, a page at a time, by status, action and origin, and only one’s own', async (t) => {
  const { send, search, list } = await person()
  const other = await person()
  await other.search()
  const ids = [await search(), await search(), await search()]
  const chat = (await send<JobView>('POST', '/chat', { message: 'Why?' })).body.id
  await send('POST', `/jobs/${ids[0]}/cancel`)
  const idsOf = (page: Page) => page.data.map(({ id }) => id)
  const newestFirst = [chat, ...ids.toReversed()]
  t.deepEqual(idsOf(await list()), newestFirst)
  const first = await list('?limit=3')
  t.deepEqual(idsOf(first), newestFirst.slice(0, 3))
  await search()
  const second = await list(`?limit=3&cursor=${first.nextCursor}`)
  t.deepEqual([idsOf(second), second.nextCursor], [newestFirst.slice(3), null])
  t.deepEqual(idsOf(await list('?status=cancelled')), [ids[0]])
  t.deepEqual(idsOf(await list('?action=chat_completion&status=queued&origin=user')), [chat])
  t.deepEqual(idsOf(await list('?origin=system')), [])
  for (const query of [
    '?status=done',
    '?action=api_call',
    '?origin=me',
    '?limit=0',
    '?limit=101',
    '?cursor=x',
    '?a=1'
  ]) {
    t.is((await send('GET', `/jobs${query}`)).status, 422, query)
  }
})

test('a job that is foreign or unknown is a 404 to read, to cancel and to follow', async (t) => {
  const [ada, bob] = [await person(), await person()]
  const id = await ada.search()
  for (const one of [id, '01900000-0000-7000-8000-000000000000', 'none']) {
    t.is((await bob.send('GET', `/jobs/${one}`)).status, 404)
    t.is((await bob.send('POST', `/jobs/${one}/cancel`)).status, 404)
    t.is((await bob.send('GET', `/jobs/${one}/events`)).status, 404)
  }
  t.like(await ada.send('GET', `/jobs/${id}`), { status: 200, body: { status: 'queued' } })
})

test('the attempts of a job are for its owner, who sees pseudonyms of workers, and for administrators', async (t) => {
  const { lifecycle } = api().context
  const [ada, bob, root] = [await person(), await person(), await api().newClient('admin')]
  const id = await ada.search()
  const path = `/jobs/${id}/attempts`
  t.deepEqual((await ada.send('GET', path)).body, { data: [] })
  t.is((await lifecycle.start(id, 'machine-1')).kind, 'started')
  await lifecycle.complete(id, 1, async () => ({}), null)

  type Attempts = { data: JobAttempt[] }
  const [own, administrators] = [await ada.send<Attempts>('GET', path), await root.send<Attempts>('GET', path)]
  t.like(own.body.data, [{ attempt: 1, run: 1, outcome: 'completed', error: null, nextAt: null, waitReason: null }])
  t.regex(own.body.data[0]?.worker ?? '', /^[0-9a-f]{12}$/)
  t.deepEqual(administrators.body.data, [{ ...(own.body.data[0] as JobAttempt), worker: 'machine-1' }])
  t.is((await bob.send('GET', path)).status, 404)
  t.is((await ada.send('GET', '/jobs/01900000-0000-7000-8000-000000000000/attempts')).status, 404)
  t.is((await ada.send('GET', '/jobs/none/attempts')).status, 404)
  t.is((await ada.send('GET', `${path}?limit=1`)).status, 422)
})

test('an open job says what it waits for, as one that was submitted, listed or read', async (t) => {
  const { send, list } = await person()
  const worker = { reason: 'worker', until: null }
  const submitted = (await send<JobView>('POST', '/rag/search', { query: 'stack' })).body
  t.deepEqual(submitted.waitingFor as unknown, worker)
  t.deepEqual((await send<JobView>('GET', `/jobs/${submitted.id}`)).body.waitingFor as unknown, worker)
  t.deepEqual((await list()).data[0]?.waitingFor as unknown, worker)
  t.is((await send<JobView>('POST', `/jobs/${submitted.id}/cancel`)).body.waitingFor, null)
})

test('what a chat changed is taken back by its owner alone, once it has ended', async (t) => {
  const { send, search } = await person()
  const other = await person()
  const chat = (await send<JobView>('POST', '/chat', { message: 'Why?' })).body.id
  t.is((await send('POST', `/jobs/${chat}/undo`)).status, 409)
  t.is((await other.send('POST', `/jobs/${chat}/undo`)).status, 404)
  t.is((await send('POST', `/jobs/${await search()}/undo`)).status, 409)
  t.is((await send('POST', '/jobs/nonsense/undo')).status, 404)
  await send('POST', `/jobs/${chat}/cancel`)
  const { status, body } = await send('POST', `/jobs/${chat}/undo`)
  t.is(status, 200)
  t.deepEqual(body, { undone: [], kept: [] })
})
