import test from 'ava'
import { createDeltas } from '../../../lib/events/deltas.ts'
import { newId } from '../../../lib/ids.ts'
import { eventually } from '../../helpers/context.ts'
import { createSocketStage, type SocketStage } from '../../helpers/socket-stage.ts'
import { createTcpProxy } from '../../helpers/tcp-proxy.ts'

async function newJob({ knex }: SocketStage, userId: string): Promise<string> {
  const id = newId()
  const action = 'chat_completion'
  await knex('jobs').insert({ id, user_id: userId, action, input: '{}', max_attempts: 1, status: 'active' })
  return id
}

async function newGoal(stage: SocketStage, userId: string): Promise<string> {
  const id = newId()
  await stage.knex('goals').insert({ id, user_id: userId, title: 'Learn' })
  return id
}

test('a subscription pushes CloudEvents of its channel, and says from where', async (t) => {
  const stage = await createSocketStage(t)
  stage.relay().start()
  const { url } = await stage.serve()
  const { id: userId, token } = await stage.newPerson()
  const client = await stage.open(url, { token })
  const jobId = await newJob(stage, userId)
  const channel = `job:${jobId}`
  const answer = await client.ask({ id: 7, type: 'subscribe', channel })
  t.deepEqual(Object.keys(answer), ['type', 'id', 'channel', 'position', 'recovered'])
  t.like(answer, { type: 'subscribed', id: 7, channel, recovered: true })

  const data = { id: jobId, status: 'completed' }
  const result = JSON.stringify({ text: 'ü'.repeat(40_000) })
  await stage.knex('jobs').where({ id: jobId }).update({ status: 'completed', result })
  const id = await stage.append({
    type: 'job.completed.chat_completion',
    userId,
    subject: jobId,
    data,
    resultOf: jobId,
    channels: [channel]
  })
  await stage.append({ type: 'goal.created', userId })
  await eventually(async () => client.events().length > 0)
  const [pushed] = client.events()
  t.like(pushed, {
    type: 'event',
    channel,
    event: { id, type: 'job.completed.chat_completion', subject: jobId }
  } as object)
  t.true((pushed?.position ?? 0) > (answer.position as number))
  // 80 KB of result are left out, and said to be.
  t.deepEqual((pushed?.event as { data?: unknown } | undefined)?.data, { ...data, result: null, resultOmitted: true })
  t.deepEqual(await client.ask({ id: 8, type: 'unsubscribe', channel }), { type: 'unsubscribed', id: 8, channel })
  await stage.append({ type: 'job.x', userId, channels: [channel] })
  t.like(await client.ask({ id: 9, type: 'subscribe', channel: 'user:me' }), { type: 'subscribed' })
  await stage.append({ type: 'task.created', userId })
  await eventually(async () => client.events().at(-1)?.event.type === 'task.created')
  t.is(client.events().at(-1)?.channel, 'user:me')
  t.is(client.events().filter((event) => event.channel === channel).length, 1)
})

test('a channel that is not one’s own does not exist', async (t) => {
  const stage = await createSocketStage(t)
  const { url } = await stage.serve()
  const [me, other] = [await stage.newPerson(), await stage.newPerson()]
  const client = await stage.open(url, { token: me.token })
  const foreignGoal = await newGoal(stage, other.id)
  const courseId = newId()
  await stage.knex('courses').insert({ id: courseId, owner_id: other.id, title: 'Private' })
  const channels = [
    `job:${await newJob(stage, other.id)}`,
    `goal:${foreignGoal}`,
    `course:${courseId}`,
    `user:${other.id}`,
    `goal:${newId()}`,
    'goal:not-an-id',
    'elsewhere'
  ]
  for (const [id, channel] of channels.entries()) {
    t.like(await client.ask({ id, type: 'subscribe', channel }), { type: 'error', code: 'not_found', id })
  }
  t.like(await client.ask({ id: 100, type: 'unsubscribe', channel: 'user:me' }), { type: 'error', code: 'not_found' })
})

test('what cannot be taken is answered with an error that names its id, and the connection stays', async (t) => {
  const stage = await createSocketStage(t)
  const { url } = await stage.serve({ limits: { messagesPerSecond: 1_000 } })
  const { id: userId, token } = await stage.newPerson()
  const client = await stage.open(url, { token })
  const goal = `goal:${await newGoal(stage, userId)}`
  const cases: [unknown, string, (number | string)?][] = [
    ['{', 'invalid_json'],
    ['null', 'invalid'],
    ['[]', 'invalid'],
    [{ type: 'publish', id: 4 }, 'invalid', 4],
    [{ type: 'subscribe', id: 'five' }, 'invalid', 'five'],
    [{ type: 'subscribe', id: 6, channel: 5 }, 'invalid', 6],
    [{ type: 'subscribe', id: 7, channel: goal, after: -1 }, 'invalid', 7],
    [{ type: 'subscribe', id: 8, channel: goal, colour: 'red' }, 'invalid', 8],
    [{ type: 'subscribe', id: 9, channel: goal, afterSeq: 3 }, 'invalid', 9],
    [{ type: 'subscribe', id: { deep: true }, channel: goal }, 'invalid']
  ]
  for (const [i, [message, code, id]] of cases.entries()) {
    client.send(message)
    await eventually(async () => client.got.length === i + 1)
    t.like(client.got[i], { type: 'error', code })
    t.is(client.got[i]?.id, id)
    t.is(typeof client.got[i]?.message, 'string')
  }
  client.socket.send(Buffer.from('{}'), { binary: true })
  await eventually(async () => client.got.length === cases.length + 1)
  t.like(client.got.at(-1), { type: 'error', code: 'invalid' })
  t.like(await client.ask({ id: 50, type: 'subscribe', channel: goal }), { type: 'subscribed' })
  t.like(await client.ask({ id: 51, type: 'subscribe', channel: goal }), { type: 'error', code: 'conflict' })
})

test('a client that comes back with its position gets exactly what it missed', async (t) => {
  const stage = await createSocketStage(t)
  stage.relay().start()
  const [first, second] = [await stage.serve(), await stage.serve()]
  const { id: userId, token } = await stage.newPerson()
  const goalId = await newGoal(stage, userId)
  const channel = `goal:${goalId}`
  const ids: string[] = []
  let writing = true
  const writer = (async () => {
    while (writing) ids.push(await stage.append({ userId, channels: [channel] }))
  })()

  const got: { position: number; event: { id: string } }[] = []
  for (let visit = 0; visit < 6; visit++) {
    const client = await stage.open(visit % 2 ? first.url : second.url, { token })
    const after = got.at(-1)?.position ?? 0
    const answer = await client.ask({ id: 1, type: 'subscribe', channel, after })
    t.like(answer, { recovered: true, position: after })
    await eventually(async () => client.events().length > 20)
    client.socket.terminate()
    await client.closed
    got.push(...client.events())
  }
  writing = false
  await writer
  const client = await stage.open(first.url, { token })
  await client.ask({ id: 1, type: 'subscribe', channel, after: got.at(-1)?.position ?? 0 })
  await eventually(async () => got.length + client.events().length >= ids.length)
  got.push(...client.events())
  t.deepEqual(
    got.map(({ event }) => event.id),
    ids
  )
})

test('a position that the log does not reach back to is not recovered', async (t) => {
  const stage = await createSocketStage(t)
  const relay = stage.relay()
  relay.start()
  const { url } = await stage.serve()
  const { id: userId, token } = await stage.newPerson()
  for (let i = 0; i < 3; i++) await stage.append({ userId })
  await eventually(async () => (await stage.events.ends()).last >= 4)
  await stage.knex('relay').update({ trimmed_position: 2 })
  const { last } = await stage.events.ends()
  const client = await stage.open(url, { token })
  await eventually(async () => {
    const answer = await client.ask({ id: Date.now(), type: 'subscribe', channel: 'user:me', after: 1 })
    if (answer.position === last) {
      t.false(answer.recovered)
      return true
    }
    await client.ask({ id: Date.now() + 1, type: 'unsubscribe', channel: 'user:me' })
    return false
  })
  const id = await stage.append({ userId })
  await eventually(async () => client.events().length > 0)
  t.is(client.events()[0]?.event.id, id)
})

test('news arrives while Redis is away, without gap or repeat', async (t) => {
  const stage = await createSocketStage(t)
  const proxy = await createTcpProxy(stage.isolation.redisUrl)
  stage.closeFirst(() => proxy.close())
  stage.relay().start()
  const { url } = await stage.serve({ redisUrl: proxy.url })
  const { id: userId, token } = await stage.newPerson()
  const client = await stage.open(url, { token })
  await client.ask({ id: 1, type: 'subscribe', channel: 'user:me' })
  const ids: string[] = []
  for (const step of [() => {}, () => proxy.cut(), () => proxy.restore()]) {
    step()
    for (let i = 0; i < 10; i++) ids.push(await stage.append({ userId }))
    await eventually(async () => client.events().length === ids.length)
  }
  t.deepEqual(
    client.events().map(({ event }) => event.id),
    ids
  )
})

test('the text of a running job is pushed, and resumed after what the client has', async (t) => {
  const stage = await createSocketStage(t)
  const { url } = await stage.serve()
  const { id: userId, token } = await stage.newPerson()
  const jobId = await newJob(stage, userId)
  const channel = `job:${jobId}`
  const client = await stage.open(url, { token })
  await client.ask({ id: 1, type: 'subscribe', channel })
  const writer = createDeltas(stage).open(jobId, 1)
  writer.append('not this ')
  await eventually(async () => client.got.some(({ type }) => type === 'delta'))
  t.deepEqual(client.got.at(-1), { type: 'delta', channel, run: 1, seq: 1, text: 'not this ' })
  writer.reset()
  writer.append('but ')
  await eventually(async () => client.got.at(-1)?.text === 'but ')
  t.deepEqual(client.got.at(-2), { type: 'reset', channel, run: 1, seq: 2 })
  client.socket.terminate()
  writer.append('this')
  await writer.close()

  const again = await stage.open(url, { token })
  await again.ask({ id: 1, type: 'subscribe', channel, afterSeq: 3 })
  await eventually(async () => again.got.some(({ type }) => type === 'delta'))
  t.deepEqual(
    again.got.filter(({ type }) => type !== 'subscribed'),
    [{ type: 'delta', channel, run: 1, seq: 4, text: 'this' }]
  )
})

test('a person whose role ends loses the channels that went with it', async (t) => {
  const stage = await createSocketStage(t)
  const { url } = await stage.serve()
  const [owner, admin] = [await stage.newPerson(), await stage.newPerson()]
  await stage.knex('users').where({ id: admin.id }).update({ role: 'admin' })
  const goalId = await newGoal(stage, owner.id)
  const client = await stage.open(url, { token: admin.token })
  const channel = `goal:${goalId}`
  t.like(await client.ask({ id: 1, type: 'subscribe', channel }), { type: 'subscribed' })
  await stage.knex('users').where({ id: admin.id }).update({ role: 'user' })
  await eventually(async () => client.got.some(({ type, code }) => type === 'error' && code === 'not_found'))
  t.like(client.got.at(-1), { channel })
})
