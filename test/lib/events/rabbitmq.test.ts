import { join } from 'node:path'
import { connect } from 'amqplib'
import test from 'ava'
import { createPublisher } from '../../../lib/events/publisher.ts'
import { unroutedName } from '../../../lib/events/topology.ts'
import { newId } from '../../../lib/ids.ts'
import { rabbitmqctl } from '../../../scripts/services/rabbitmqctl.ts'
import { listenToBroker } from '../../helpers/broker-listener.ts'
import { eventually } from '../../helpers/context.ts'
import { createEventStage, type EventStage, listenToRedis } from '../../helpers/event-stage.ts'
import { startPrivate } from '../../helpers/private-services.ts'
import { createTcpProxy } from '../../helpers/tcp-proxy.ts'

async function openPublisher(stage: EventStage, url = stage.isolation.rabbitmqUrl) {
  const publisher = await createPublisher({ url, exchange: stage.isolation.exchange, log: stage.log })
  stage.closeFirst(() => publisher.close())
  return publisher
}

test('events arrive on the exchange as CloudEvents, by routing key and in order', async (t) => {
  const stage = await createEventStage(t)
  const userId = await stage.newUser()
  const publisher = await openPublisher(stage)
  await publisher.ready(AbortSignal.timeout(60_000))
  const heard = await listenToBroker(stage, 'job.completed.*')
  stage.relay({ publisher }).start()

  const subject = newId()
  await stage.append({ type: 'goal.created', userId, subject })
  const id = await stage.append({ type: 'job.completed.rag_search', userId, subject, data: { status: 'completed' } })
  await eventually(async () => heard.length > 0)
  t.is(heard.length, 1)
  const [message] = heard
  t.like(message, { id, routingKey: 'job.completed.rag_search', position: 2, persistent: true })
  t.is(message?.contentType, 'application/cloudevents+json')
  const { time, ...event } = { time: '', ...message?.event }
  t.regex(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  t.deepEqual(event, {
    specversion: '1.0',
    id,
    source: 'urn:ai-goals-tracker',
    type: 'job.completed.rag_search',
    subject,
    datacontenttype: 'application/json',
    data: { status: 'completed' }
  })
})

test('what nobody asked for is kept by the alternate exchange', async (t) => {
  const stage = await createEventStage(t)
  const publisher = await openPublisher(stage)
  stage.relay({ publisher }).start()
  const id = await stage.append({ type: 'client.unheard' })
  await publisher.ready(AbortSignal.timeout(60_000))
  const heard = await listenToBroker(stage, '#', unroutedName(stage.isolation.exchange))
  await eventually(async () => heard.length > 0)
  t.is(heard[0]?.id, id)
})

test('while a broker is short of memory nothing is sent, nothing is put aside, and everything follows when it is not', async (t) => {
  t.timeout(180_000)
  const { rabbitmqUrl, dataDir } = await startPrivate(t, 'rabbitmq')
  const ctl = (...args: string[]) => rabbitmqctl(join(dataDir, 'rabbitmq'), process.env.PATH ?? '', args)
  const stage = await createEventStage(t)
  const publisher = await openPublisher(stage, rabbitmqUrl)
  await publisher.ready(AbortSignal.timeout(60_000))
  const heard = await listenToBroker({ ...stage, isolation: { ...stage.isolation, rabbitmqUrl } })
  stage.relay({ publisher }).start()
  await stage.append({})
  await eventually(async () => heard.length === 1)
  await ctl('set_vm_memory_high_watermark', '0')
  // The broker says that it is short when it has been sent something.
  await stage.append({})
  const behind = async () => (await stage.relayStore.lag()).sinks.find(({ sink }) => sink === 'rabbitmq')?.behind ?? 0
  await eventually(async () => (await behind()) >= 1)
  const waits = async () => {
    const late = AbortSignal.timeout(200)
    await publisher.ready(late)
    return late.aborted
  }
  await eventually(waits)
  for (let n = 0; n < 5; n++) await stage.append({})
  await ctl('set_vm_memory_high_watermark', '0.6')
  await eventually(async () => (await behind()) === 0)
  t.deepEqual(
    heard.map(({ position }) => position),
    [1, 2, 3, 4, 5, 6, 7]
  )
  t.deepEqual(await stage.deadLetterStore.list({ kind: undefined, limit: 10 }), [])
})

test('a broker that is away at the start stops nothing, and hears everything when it comes', async (t) => {
  const stage = await createEventStage(t)
  const proxy = await createTcpProxy(stage.isolation.rabbitmqUrl)
  stage.closeFirst(() => proxy.close())
  proxy.cut()
  const publisher = await openPublisher(stage, proxy.url)
  stage.relay({ publisher }).start()
  const heardOnRedis = await listenToRedis(stage)

  const ids: string[] = []
  for (let i = 0; i < 250; i++) ids.push(await stage.append({}))
  await eventually(async () => heardOnRedis.length === ids.length)
  t.false(publisher.connected())

  // The queue exists before the publisher connects, so that nothing published is unheard.
  const admin = await connect(stage.isolation.rabbitmqUrl)
  const channel = await admin.createChannel()
  await channel.assertExchange(unroutedName(stage.isolation.exchange), 'fanout', { durable: true })
  await channel.assertExchange(stage.isolation.exchange, 'topic', {
    durable: true,
    alternateExchange: unroutedName(stage.isolation.exchange)
  })
  await admin.close()
  const heard = await listenToBroker(stage)
  proxy.restore()
  await eventually(async () => heard.length === ids.length)
  t.deepEqual(
    heard.map(({ id }) => id),
    ids
  )
})

test('nothing is lost and order holds while the connection is cut again and again', async (t) => {
  const stage = await createEventStage(t)
  const proxy = await createTcpProxy(stage.isolation.rabbitmqUrl)
  stage.closeFirst(() => proxy.close())
  const publisher = await openPublisher(stage, proxy.url)
  await publisher.ready(AbortSignal.timeout(60_000))
  const heard = await listenToBroker(stage)
  const relay = stage.relay({ publisher })
  relay.start()
  const userId = await stage.newUser()

  const ids: string[] = []
  for (let round = 0; round < 4; round++) {
    await stage.transaction.transact(async (trx) => {
      for (let i = 0; i < 500; i++) {
        ids.push(await stage.eventLog.append(trx, { type: 'client.x', userId, subject: null, data: {} }))
      }
    })
    // In the middle of the batch that is on its way.
    const before = heard.length
    await eventually(async () => heard.length > before)
    proxy.cut()
    await eventually(async () => !publisher.connected())
    proxy.restore()
  }
  await eventually(async () => new Set(heard.map(({ id }) => id)).size === ids.length)
  const firstSeen = [...new Set(heard.map(({ id }) => id))]
  t.deepEqual(firstSeen, ids)
  t.is(new Set(heard.map(({ position }) => position)).size, ids.length)
  // A repeat begins again somewhere before and then goes on in order: every step is +1 or back.
  for (let i = 1; i < heard.length; i++) {
    const step = (heard[i]?.position ?? 0) - (heard[i - 1]?.position ?? 0)
    t.true(step <= 1, `step of ${step} at ${i}`)
  }
  // The cursor has followed.
  await eventually(async () => (await stage.relayStore.lag()).sinks.every(({ behind }) => behind === 0))
})

test('an exchange that is deleted under the publisher is made again', async (t) => {
  const stage = await createEventStage(t)
  const publisher = await openPublisher(stage)
  await publisher.ready(AbortSignal.timeout(60_000))
  stage.relay({ publisher }).start()
  const admin = await connect(stage.isolation.rabbitmqUrl)
  stage.closeFirst(() => admin.close())
  const channel = await admin.createChannel()
  await channel.deleteExchange(stage.isolation.exchange)

  const id = await stage.append({ type: 'client.after' })
  const unrouted = await listenToBroker(stage, '#', unroutedName(stage.isolation.exchange))
  await eventually(async () => unrouted.some((message) => message.id === id))
  t.pass()
})

test('without a publisher no cursor of RabbitMQ is kept', async (t) => {
  const stage = await createEventStage(t)
  await stage.knex('relay_cursors').insert({ sink: 'rabbitmq', position: 0 })
  const relay = stage.relay()
  relay.start()
  await stage.append({})
  await eventually(async () => (await stage.placed()).length === 1)
  await relay.stop()
  t.deepEqual(await stage.knex('relay_cursors').pluck('sink'), ['redis'])
})

test('a broker that stops answering delays only its own news, and a stop does not wait for it', async (t) => {
  const stage = await createEventStage(t)
  const proxy = await createTcpProxy(stage.isolation.rabbitmqUrl)
  stage.closeFirst(() => proxy.close())
  const publisher = await openPublisher(stage, proxy.url)
  await publisher.ready(AbortSignal.timeout(60_000))
  const relay = stage.relay({ publisher })
  relay.start()
  const heard = await listenToRedis(stage)
  await eventually(async () => relay.leading())
  proxy.freeze()
  for (let i = 0; i < 10; i++) await stage.append({})
  await eventually(async () => heard.length === 10)
  const began = performance.now()
  await relay.stop()
  await publisher.close()
  // Four seconds at most are their own; the broker stays silent for good.
  t.true(performance.now() - began < 60_000)
  t.is((await stage.relayStore.lag()).sinks.find(({ sink }) => sink === 'rabbitmq')?.behind, 10)
})
