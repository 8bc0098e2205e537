import test from 'ava'
import { createDeltas } from '../../lib/events/deltas.ts'
import { newId } from '../../lib/ids.ts'
import { eventually } from '../helpers/context.ts'
import { createSocketStage, type SocketStage } from '../helpers/socket-stage.ts'
import { openStream } from '../helpers/sse-client.ts'

async function newJob({ knex }: SocketStage, userId: string, fields: object = {}): Promise<string> {
  const id = newId()
  const job = { id, user_id: userId, action: 'chat_completion', input: '{}', max_attempts: 1, status: 'active' }
  await knex('jobs').insert({ ...job, ...fields })
  return id
}

async function tell(stage: SocketStage, userId: string, jobId: string, kind: string): Promise<string> {
  if (kind === 'completed') await stage.knex('jobs').where({ id: jobId }).update({ status: 'completed' })
  return await stage.append({
    type: `job.${kind}.chat_completion`,
    userId,
    subject: jobId,
    channels: [`job:${jobId}`],
    data: { id: jobId }
  })
}

async function startStage(t: Parameters<typeof createSocketStage>[0]) {
  const stage = await createSocketStage(t)
  stage.relay().start()
  const { http, ...news } = await stage.serve()
  const { id: userId, token } = await stage.newPerson()
  const urlOf = (jobId: string, query = '') => `${http}/api/v1/jobs/${jobId}/events${query}`
  return { stage, userId, token, urlOf, news }
}

test('the events of a job are listed oldest first, in pages, after a position', async (t) => {
  const { stage, userId, token, urlOf } = await startStage(t)
  const jobId = await newJob(stage, userId)
  const ids = []
  for (const kind of ['started', 'progressed', 'completed']) ids.push(await tell(stage, userId, jobId, kind))
  await tell(stage, userId, await newJob(stage, userId), 'started')
  await eventually(async () => (await stage.events.ends()).last >= 5)
  const get = async (query: string) => {
    const response = await fetch(urlOf(jobId, query), { headers: { authorization: `Bearer ${token}` } })
    return { status: response.status, body: (await response.json()) as ReturnType<typeof JSON.parse> }
  }

  const { body } = await get('')
  t.deepEqual(
    body.data.map(({ event }: { event: { id: string } }) => event.id),
    ids
  )
  t.is(body.nextCursor, null)
  t.like(body.data[0].event, { specversion: '1.0', type: 'job.started.chat_completion', subject: jobId })
  const first = await get('?limit=2')
  t.is(first.body.nextCursor, String(first.body.data[1].position))
  for (const name of ['after', 'cursor']) {
    const second = await get(`?limit=2&${name}=${first.body.nextCursor}`)
    t.deepEqual(second.body, { data: [body.data[2]], nextCursor: null })
  }
  for (const query of ['?after=x', '?after=-1', '?limit=0', '?colour=red']) t.is((await get(query)).status, 422, query)
})

test('a foreign or unknown job has no events, and another form is not served', async (t) => {
  const { stage, userId, urlOf, token } = await startStage(t)
  const other = await stage.newPerson()
  const jobId = await newJob(stage, userId)
  const status = async (id: string, headers: Record<string, string>) =>
    (await fetch(urlOf(id), { headers: { authorization: `Bearer ${other.token}`, ...headers } })).status
  t.is(await status(jobId, {}), 404)
  t.is(await status(jobId, { accept: 'text/event-stream' }), 404)
  t.is(await status(newId(), {}), 404)
  t.is(await status(jobId, { authorization: `Bearer ${token}`, accept: 'text/csv' }), 406)
})

test('a stream tells what was, then what comes with its text, and ends with the job', async (t) => {
  const { stage, userId, token, urlOf } = await startStage(t)
  const jobId = await newJob(stage, userId)
  const channel = `job:${jobId}`
  const started = await tell(stage, userId, jobId, 'started')
  const client = await openStream(urlOf(jobId), { token })
  t.is(client.status, 200)
  t.regex(client.headers.get('content-type') ?? '', /^text\/event-stream/)
  t.is(client.headers.get('cache-control'), 'no-store')
  await eventually(async () => client.frames.length === 1)
  const position = client.frames[0]?.data.position as number
  t.like(client.frames[0], { id: String(position), event: 'event' })
  t.like(client.frames[0]?.data, { type: 'event', channel })
  t.like(client.frames[0]?.data.event, { id: started })

  const writer = createDeltas(stage).open(jobId, 1)
  writer.append('Hel')
  await eventually(async () => client.frames.length === 2)
  writer.append('lo\n\nworld')
  await writer.close()
  await eventually(async () => client.frames.length === 3)
  t.deepEqual(client.frames[2], {
    id: `${position}.2`,
    event: 'delta',
    data: { type: 'delta', channel, run: 1, seq: 2, text: 'lo\n\nworld' }
  })
  const completed = await tell(stage, userId, jobId, 'completed')
  await client.ended
  t.is(client.frames.length, 4)
  t.like(client.frames[3]?.data.event, { id: completed })
  t.regex(client.frames[3]?.id ?? '', /^\d+\.2$/)

  // A browser comes back by itself with its last id, until it is told not to.
  const again = await openStream(urlOf(jobId), { token, lastEventId: client.frames[3]?.id ?? '' })
  t.is(again.status, 204)
  // One that had less gets the rest.
  const rest = await openStream(urlOf(jobId), { token, lastEventId: client.frames[1]?.id ?? '' })
  await rest.ended
  t.deepEqual(
    rest.frames.map(({ event }) => event).toSorted((a, b) => (a ?? '').localeCompare(b ?? '')),
    ['delta', 'event']
  )
  t.like(rest.frames.find(({ event }) => event === 'delta')?.data, { seq: 2 })
  const byQuery = await openStream(urlOf(jobId, `?after=${position}`), { token })
  await byQuery.ended
  t.like(byQuery.frames.at(-1)?.data.event, { id: completed })
})

test('a stream of a job whose end nobody tells ends too', async (t) => {
  const { stage, userId, token, urlOf } = await startStage(t)
  const jobId = await newJob(stage, userId, { origin: 'system' })
  const client = await openStream(urlOf(jobId), { token })
  await stage.knex('jobs').where({ id: jobId }).update({ status: 'completed' })
  await client.ended
  t.deepEqual(client.frames, [])
  t.is((await openStream(urlOf(jobId), { token })).status, 204)
})

test('streams end when their credential is revoked and when the server goes away', async (t) => {
  const { stage, userId, token, urlOf, news } = await startStage(t)
  const jobId = await newJob(stage, userId)
  const actor = await stage.auth.authenticator.authenticate(token)
  if (!actor) return t.fail()
  const { id: keyId, key } = await stage.auth.apiKeys.create(actor, { name: 'stream' })
  const client = await openStream(urlOf(jobId), { token: key })
  const other = await openStream(urlOf(jobId), { token })
  await stage.auth.apiKeys.revoke(actor, keyId)
  await client.ended
  await news.goAway()
  await other.ended
  t.deepEqual([client.frames, other.frames], [[], []])
})
