import { once } from 'node:events'
import test from 'ava'
import { WebSocket } from 'ws'
import { type Revocation, revokedChannel } from '../../../lib/auth/revocations.ts'
import { newId } from '../../../lib/ids.ts'
import { eventually } from '../../helpers/context.ts'
import { createSocketStage, refusedUpgrade } from '../../helpers/socket-stage.ts'
import { openStream } from '../../helpers/sse-client.ts'

test('a revoked key, a signed-out session and a deleted person lose their sockets', async (t) => {
  const stage = await createSocketStage(t)
  const published: unknown[] = []
  const subscriber = stage.openRedis('subscriber')
  subscriber.on('message', (_channel, text: string) => published.push((JSON.parse(text) as Revocation).credentialId))
  await subscriber.subscribe(revokedChannel(stage.prefix))
  const { url } = await stage.serve()
  const { accounts, apiKeys, authenticator } = stage.auth
  const { id: userId, token } = await stage.newPerson()
  const actor = await authenticator.authenticate(token)
  if (!actor) return t.fail()
  const { id: keyId, key } = await apiKeys.create(actor, { name: 'socket' })
  const second =
    (await accounts.login({ email: 'person1@example.test', password: 'long enough' }, { ip: '192.0.2.1' }))?.token ?? ''
  const byKey = await stage.open(url, { token: key })
  const bySession = await stage.open(url, { token: second })
  const byToken = await stage.open(url, { token })

  // A second is promised: that it is kept is shown where the watch of credentials is tested, with a clock of its own.
  async function ends(what: Promise<{ code: number }>, revoke: () => Promise<unknown>) {
    await revoke()
    t.is((await what).code, 4001)
  }
  await ends(byKey.closed, () => apiKeys.revoke(actor, keyId))
  await eventually(async () => published.includes(keyId))
  const other = await authenticator.authenticate(second)
  if (!other) return t.fail()
  await ends(bySession.closed, () => accounts.logout(other))
  await eventually(async () => published.includes(other.credential.id))
  t.is(byToken.socket.readyState, WebSocket.OPEN)
  // Also when nobody is told: the look at short intervals finds it.
  await ends(byToken.closed, () => stage.knex('users').where({ id: userId }).delete())
})

test('a reader that takes nothing loses its connection, and nobody else a message', async (t) => {
  const stage = await createSocketStage(t)
  stage.relay().start()
  const lines: string[] = []
  const { url } = await stage.serve({ onLog: (line) => lines.push(line) })
  const { id: userId, token } = await stage.newPerson()
  const [slow, fast] = [await stage.open(url, { token }), await stage.open(url, { token })]
  for (const client of [slow, fast]) await client.ask({ id: 1, type: 'subscribe', channel: 'user:me' })
  slow.socket.pause()

  // In one burst, far more than the buffers of both kernels and the limit hold together: 18 MB.
  const ids: string[] = []
  await stage.transaction.transact(async (trx) => {
    const data = { text: 'x'.repeat(60_000) }
    for (let i = 0; i < 300; i++) {
      ids.push(await stage.eventLog.append(trx, { type: 'client.x', userId, subject: null, data }))
    }
  })
  await eventually(async () => fast.events().length >= ids.length)
  t.deepEqual(
    fast.events().map(({ event }) => event.id),
    ids
  )
  await eventually(async () => lines.some((line) => line.includes('a socket that was not read is closed')))
  slow.socket.resume()
  t.is((await slow.closed).code, 4008)
  t.true(slow.events().length < ids.length)
  t.is(fast.socket.readyState, WebSocket.OPEN)
})

test('a long replay is given at the reader’s pace, and never costs it the connection', async (t) => {
  const stage = await createSocketStage(t)
  stage.relay().start()
  const { url } = await stage.serve()
  const { id: userId, token } = await stage.newPerson()
  const client = await stage.open(url, { token })
  const ids: string[] = []
  const data = { text: 'x'.repeat(60_000) }
  await stage.transaction.transact(async (trx) => {
    for (let i = 0; i < 300; i++) {
      ids.push(await stage.eventLog.append(trx, { type: 'client.x', userId, subject: null, data }))
    }
  })
  await eventually(async () => (await stage.events.ends()).last >= ids.length)
  await eventually(async () => (await stage.knex('events').whereNotNull('position').select('id')).length >= ids.length)
  await client.ask({ id: 1, type: 'subscribe', channel: 'user:me', after: 0 })
  // Stops reading for as long as another client needs for all of it: every buffer would be full, were it not paced.
  client.socket.pause()
  const other = await stage.open(url, { token })
  await other.ask({ id: 1, type: 'subscribe', channel: 'user:me', after: 0 })
  await eventually(async () => other.events().at(-1)?.event.id === ids.at(-1))
  t.true(client.events().length < ids.length)
  client.socket.resume()
  await eventually(async () => client.events().at(-1)?.event.id === ids.at(-1))
  t.is(client.socket.readyState, WebSocket.OPEN)
})

test('over 20 messages a second end the connection', async (t) => {
  const stage = await createSocketStage(t)
  const { url } = await stage.serve()
  const { token } = await stage.newPerson()
  const client = await stage.open(url, { token })
  for (let i = 0; i < 20; i++) client.send({ type: 'unsubscribe', id: i, channel: 'user:me' })
  await eventually(async () => client.got.length === 20)
  t.is(client.socket.readyState, WebSocket.OPEN)
  for (let i = 0; i < 21; i++) client.send({ type: 'unsubscribe', id: i, channel: 'user:me' })
  t.is((await client.closed).code, 4013)
})

test('a message over 64 KiB ends the connection, one below it does not', async (t) => {
  const stage = await createSocketStage(t)
  const { url } = await stage.serve()
  const { token } = await stage.newPerson()
  const client = await stage.open(url, { token })
  client.send({ type: 'subscribe', channel: 'x'.repeat(60_000) })
  await eventually(async () => client.got.length === 1)
  t.like(client.got[0], { type: 'error', code: 'invalid' })
  client.send({ type: 'subscribe', channel: 'x'.repeat(70_000) })
  t.is((await client.closed).code, 1009)
})

test('a connection has at most 100 subscriptions', async (t) => {
  const stage = await createSocketStage(t)
  const { url } = await stage.serve({ limits: { messagesPerSecond: 1_000 } })
  const { id: userId, token } = await stage.newPerson()
  const goals = Array.from({ length: 101 }, () => ({ id: newId(), user_id: userId, title: 'Learn' }))
  await stage.knex('goals').insert(goals)
  const client = await stage.open(url, { token })
  for (const [i, goal] of goals.entries()) {
    const answer = await client.ask({ id: i, type: 'subscribe', channel: `goal:${goal.id}` })
    if (i < 100) t.like(answer, { type: 'subscribed' })
    else t.like(answer, { type: 'error', code: 'too_many_subscriptions' })
  }
})

test('every socket is told when the server goes away', async (t) => {
  const stage = await createSocketStage(t)
  const { token } = await stage.newPerson()
  const took: number[] = []
  // A busy machine may make one of them late, not all.
  for (let n = 0; n < 3; n++) {
    const { url, ...news } = await stage.serve()
    const clients = [await stage.open(url, { token }), await stage.open(url, { token })]
    const began = performance.now()
    await news.goAway()
    took.push(performance.now() - began)
    for (const client of clients) t.is((await client.closed).code, 1001)
    t.is(news.sockets(), 0)
  }
  t.true(Math.min(...took) < 1_500, `${took.join(', ')} ms`)
})

test('pings and pongs that nobody asked for count as messages, and a ping is answered', async (t) => {
  const stage = await createSocketStage(t)
  const { url } = await stage.serve()
  const { token } = await stage.newPerson()
  const calm = await stage.open(url, { token })
  const pong = once(calm.socket, 'pong')
  calm.socket.ping('still there?')
  t.is(String((await pong)[0]), 'still there?')
  for (const frame of ['ping', 'pong'] as const) {
    const client = await stage.open(url, { token })
    for (let i = 0; i < 2_000; i++) client.socket[frame]()
    t.is((await client.closed).code, 4013, frame)
  }
  t.is(calm.socket.readyState, WebSocket.OPEN)
  t.like(await calm.ask({ id: 1, type: 'subscribe', channel: 'user:me' }), { type: 'subscribed' })
})

test('who goes on sending after too many messages is hung up on', async (t) => {
  const stage = await createSocketStage(t)
  const { url, ...news } = await stage.serve()
  const { token } = await stage.newPerson()
  const client = await stage.open(url, { token })
  // Never answers the close: its frames would be parsed for as long as it liked.
  const flood = setInterval(() => {
    for (let i = 0; i < 500; i++) if (client.socket.readyState === WebSocket.OPEN) client.socket.pong()
  }, 5)
  t.teardown(() => clearInterval(flood))
  t.is((await client.closed).code, 4013)
  await eventually(async () => news.sockets() === 0)
})

test('a message in fragments is taken, and one that never ends is ended', async (t) => {
  const stage = await createSocketStage(t)
  const { url } = await stage.serve()
  const { token } = await stage.newPerson()
  const client = await stage.open(url, { token })
  const text = JSON.stringify({ id: 1, type: 'subscribe', channel: 'user:me' })
  for (const character of text.slice(0, -1)) client.socket.send(character, { fin: false })
  client.socket.send(text.slice(-1))
  await eventually(async () => client.got.some(({ type }) => type === 'subscribed'))
  for (let i = 0; i < 70; i++) client.socket.send('', { fin: false })
  t.is((await client.closed).code, 1008)
})

test('an address has a number of sockets and streams over all people and processes, and so has a person', async (t) => {
  const stage = await createSocketStage(t)
  const limits = { connectionsOfUser: 2, connectionsOfAddress: 5 }
  const [one, two] = [await stage.serve({ limits }), await stage.serve({ limits })]
  const people = [await stage.newPerson(), await stage.newPerson(), await stage.newPerson()] as const
  const [first, second, third] = people
  const jobId = newId()
  const job = { id: jobId, action: 'rag_search', input: '{}', max_attempts: 1, status: 'active' }
  await stage.knex('jobs').insert({ ...job, user_id: first.id })
  const streamed = () => openStream(`${one.http}/api/v1/jobs/${jobId}/events`, { token: first.token })

  const sockets = [await stage.open(one.url, first), await stage.open(two.url, first)]
  const refused = await refusedUpgrade(one.url, { authorization: `Bearer ${first.token}` })
  t.is(refused.status, 429)
  t.is(refused.problem.detail, 'At most 2 connections at once')
  t.is(refused.headers['retry-after'], '1')
  const streams = [await streamed(), await streamed()]
  const third429 = await fetch(`${two.http}/api/v1/jobs/${jobId}/events`, {
    headers: { authorization: `Bearer ${first.token}`, accept: 'text/event-stream' }
  })
  t.is(third429.status, 429)
  t.is(third429.headers.get('retry-after'), '1')
  t.is(((await third429.json()) as { code: string }).code, 'rate_limited')

  await stage.open(two.url, second)
  const full = await refusedUpgrade(two.url, { authorization: `Bearer ${third.token}` })
  t.is(full.status, 429)
  t.is(full.problem.detail, 'At most 5 connections at once from one address')

  // What ends frees its place, at every process.
  streams[0]?.stop()
  sockets[0]?.socket.close()
  await eventually(async () => {
    const freed = new WebSocket(two.url, { headers: { authorization: `Bearer ${third.token}` } })
    return await once(freed, 'open').then(
      () => true,
      () => false
    )
  })
  for (const stream of streams) stream.stop()
  t.pass()
})
