import { once } from 'node:events'
import { connect } from 'amqplib'
import test from 'ava'
import WebSocket from 'ws'
import type { CloudEvent } from '../../lib/schemas/cloud-event.ts'
import type { JobView } from '../../lib/schemas/job.ts'
import { eventually } from '../helpers/context.ts'
import { caller, startPlatform } from '../helpers/platform.ts'

type Pushed = { type: string; channel: string; position: number; event: CloudEvent }

test('one person does everything over HTTP, and polling, ws and RabbitMQ tell the same results', async (t) => {
  const platform = await startPlatform(t, { RATE_LIMITS: '{"api_call":{"limitPerMinute":60000}}' })
  const { url } = platform
  const { body: registered, status } = await caller(url)<{ token: string; user: { id: string } }>(
    'POST',
    '/auth/register',
    { email: 'learner@example.test', password: 'a password of length', name: 'Learner' }
  )
  t.is(status, 201)
  const call = caller(url, registered.token)

  const heard = await hearRabbitMq(platform.isolation, t)
  const { pushed, socket } = await hearSocket(url, registered.token)
  t.teardown(() => socket.close())

  const make = async (path: string, body: unknown) => {
    const made = await call<{ id: string }>('POST', path, body)
    t.is(made.status, 201, path)
    t.is(made.headers.get('location'), `/api/v1${path}/${made.body.id}`)
    return made.body.id
  }
  const courseId = await make('/courses', { title: 'Algorithms', subject: 'javascript' })
  const goalId = await make('/goals', { title: 'Understand recursion', courseId })
  const taskId = await make('/tasks', { goalId, title: 'Factorial', description: 'Compute n! by recursion.' })
  await make('/documents', {
    title: 'Recursion',
    courseId,
    markdown: '# Recursion\n\nA function that calls itself needs a base case.'
  })
  const codeSnapshotId = await make('/code-snapshots', {
    taskId,
    language: 'javascript',
    source: 'export const factorial = (n) => (n <= 1 ? 1 : n * factorial(n - 1))\n'
  })
  t.is((await call('POST', `/tasks/${taskId}/complete`)).status, 200)
  t.like((await call('GET', `/goals/${goalId}`)).body, { progress: 1 })

  const submissions: [string, string, unknown][] = [
    ['embedding_generation', '/embeddings', { input: ['one text', 'another'] }],
    ['chat_completion', '/chat', { message: 'What does recursion need?', courseId }],
    ['code_validation', '/code-validations', { codeSnapshotId }],
    ['rag_search', '/rag/search', { tool: 'search_knowledge_base', query: 'factorial' }],
    ['bulk_create', '/bulk', { goals: [{ title: 'From bulk', clientId: 'a' }, { title: '' }] }]
  ]
  const jobs = await Promise.all(
    submissions.map(async ([action, path, body]) => {
      const accepted = await call<JobView>('POST', path, body)
      t.is(accepted.status, 202, `${path} ${JSON.stringify(accepted.body)}`)
      t.is(accepted.headers.get('location'), `/api/v1/jobs/${accepted.body.id}`)
      t.like(accepted.body, { action, origin: 'user', attempts: 0, retryOf: null })
      return accepted.body
    })
  )
  for (const { id, action } of jobs) {
    const polled = await eventually(async () => {
      const { body } = await call<JobView>('GET', `/jobs/${id}`, undefined, { prefer: 'wait=30' })
      return ['completed', 'failed', 'cancelled'].includes(body.status) ? body : undefined
    }, 60_000)
    t.like(polled, { status: 'completed', error: null, attempts: 1 }, `${action} ${JSON.stringify(polled.error)}`)
    t.truthy(polled.result)
    if (action !== 'bulk_create') t.true(polled.usage.totalTokens > 0, action)

    const type = `job.completed.${action}`
    const overSocket = await eventually(async () => pushed.find(({ event }) => event.type === type))
    const overBroker = await eventually(async () => heard.find(({ event }) => event.type === type))
    t.deepEqual(overSocket.event.data, polled, `${action} over ws`)
    t.deepEqual(overBroker.event, overSocket.event, `${action} on RabbitMQ`)
    t.is(overBroker.position, overSocket.position)
    t.is(overSocket.event.subject, id)
  }
  t.is(pushed.filter(({ event }) => event.type.startsWith('job.completed.')).length, 5, 'each result once')
  const positions = pushed.map(({ position }) => position)
  t.deepEqual(
    positions,
    positions.toSorted((a, b) => a - b)
  )

  await eventually(
    async () => (await call<{ data: unknown[] }>('GET', '/jobs?status=queued&origin=system')).body.data.length === 0,
    30_000
  )
  t.is(await platform.stop(), 0)
})

/** All events of the exchange, bound as an outsider would. */
async function hearRabbitMq(
  { rabbitmqUrl, exchange }: { rabbitmqUrl: string; exchange: string },
  t: { teardown: (remove: () => Promise<void>) => void }
) {
  const heard: { position: number; event: CloudEvent }[] = []
  const connection = await connect(rabbitmqUrl)
  t.teardown(() => connection.close())
  const channel = await connection.createChannel()
  const { queue } = await channel.assertQueue('', { exclusive: true })
  await channel.bindQueue(queue, exchange, '#')
  await channel.consume(
    queue,
    (message) => {
      if (!message) return
      const event = JSON.parse(message.content.toString()) as CloudEvent
      if (message.properties.messageId !== event.id || message.fields.routingKey !== event.type) return
      heard.push({ position: Number(message.properties.headers?.position), event })
    },
    { noAck: true }
  )
  return heard
}

async function hearSocket(url: string, token: string) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, { headers: { authorization: `Bearer ${token}` } })
  const pushed: Pushed[] = []
  const subscribed = new Promise<void>((resolve) => {
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Pushed
      if (message.type === 'subscribed') resolve()
      if (message.type === 'event') pushed.push(message)
    })
  })
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'subscribe', id: 1, channel: 'user:me' }))
  await subscribed
  return { pushed, socket }
}
