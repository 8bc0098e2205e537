import test, { type ExecutionContext } from 'ava'
import { newId } from '../../../lib/ids.ts'
import type { NewDelivery } from '../../../lib/store/events/webhook-deliveries.ts'
import { createDeliveryStore } from '../../../lib/store/events/webhook-deliveries.ts'
import { createWebhookStore } from '../../../lib/store/events/webhooks.ts'
import { createWebhookSink } from '../../../lib/webhooks/sink.ts'
import { createDeadLetterRetry } from '../../../lib/dead-letters/retry.ts'
import { eventually } from '../../helpers/context.ts'
import { createEventStage, type EventStage } from '../../helpers/event-stage.ts'
import { refuseRow } from '../../helpers/refuse-row.ts'

const kib = 1024

/** The relay with the webhook sink alone, whose statements are counted; nothing is sent. */
async function startStage(t: ExecutionContext) {
  const stage = await createEventStage(t)
  const store = createDeliveryStore({ knex: stage.knex })
  const statements: NewDelivery[][] = []
  const rings = { count: 0 }
  const sink = createWebhookSink({
    webhooks: createWebhookStore({ knex: stage.knex }),
    deliveries: {
      async insertMissing(deliveries) {
        statements.push(deliveries)
        return await store.insertMissing(deliveries)
      }
    },
    ring() {
      rings.count++
    }
  })
  const addHooks = async (userId: string, count: number) => {
    const ids = Array.from({ length: count }, () => newId())
    await stage
      .knex('webhooks')
      .insert(ids.map((id) => ({ id, user_id: userId, url: 'http://none.test', events: ['*'], secret: 'none' })))
    return ids
  }
  const start = async () => {
    const relay = stage.relay({ sinks: [sink] })
    await stage.knex('relay_cursors').insert({ sink: 'webhooks', position: 0 })
    relay.start()
    return relay
  }
  const caughtUp = async () => await isDone(stage)
  const count = async () => Number((await stage.knex('webhook_deliveries').count('* as n'))[0]?.n)
  return { stage, statements, rings, addHooks, start, caughtUp, count }
}

async function isDone(stage: EventStage): Promise<boolean> {
  const { unplaced, sinks } = await stage.relayStore.lag()
  return unplaced === 0 && sinks.every(({ behind }) => behind === 0)
}

test('128 events of 8 KiB to 160 webhooks are written in statements of bounded size, and nobody is stuck', async (t) => {
  const { stage, statements, rings, addHooks, start, caughtUp, count } = await startStage(t)
  const users = await Promise.all(Array.from({ length: 8 }, () => stage.newUser()))
  for (const userId of users) await addHooks(userId, 20)
  const text = 'x'.repeat(8 * kib)
  await stage.transaction.transact(async (trx) => {
    for (let n = 0; n < 128; n++) {
      const userId = users[n % users.length] as string
      await stage.eventLog.append(trx, { type: 'client.large', userId, subject: null, data: { n, text } })
    }
  })
  await start()
  await eventually(caughtUp, 60_000)
  t.is(await count(), 128 * 20)
  t.true(rings.count >= (20 * 128 * 8 * kib) / (4 * kib * kib))
  for (const part of statements) {
    t.true(part.length <= 500)
    const bodies = new Map(part.map(({ eventId, body }) => [eventId, body]))
    t.true([...bodies.values()].reduce((sum, body) => sum + Buffer.byteLength(body), 0) <= 4.5 * 1024 * 1024)
  }
  t.deepEqual(await stage.deadLetterStore.list({ limit: 10 }), [])
})

test('whoever has few webhooks is served before the second large event of somebody with many', async (t) => {
  const { stage, statements, addHooks, start, caughtUp } = await startStage(t)
  const [heavy, light] = [await stage.newUser(), await stage.newUser()]
  await addHooks(heavy, 20)
  const [lightHook] = await addHooks(light, 1)
  const text = 'x'.repeat(60 * kib)
  await stage.transaction.transact(async (trx) => {
    for (let n = 0; n < 30; n++) {
      await stage.eventLog.append(trx, { type: 'client.large', userId: heavy, subject: null, data: { n, text } })
    }
    await stage.eventLog.append(trx, { type: 'client.small', userId: light, subject: null, data: {} })
  })
  await start()
  await eventually(caughtUp, 60_000)
  const order = statements.flat()
  const place = order.findIndex(({ webhookId }) => webhookId === lightHook)
  t.is(place, 20)
})

test('a delivery that cannot be written costs its person the others neither of that event nor of any other', async (t) => {
  const { stage, statements, addHooks, start, caughtUp, count } = await startStage(t)
  const [poisoned, healthy] = [await stage.newUser(), await stage.newUser()]
  const [badHook, goodHook] = await addHooks(poisoned, 2)
  await addHooks(healthy, 2)
  const ids: string[] = []
  for (let n = 0; n < 10; n++) ids.push(await stage.append({ userId: n === 5 ? poisoned : healthy }))
  const allow = await refuseRow(stage.knex, 'webhook_deliveries', 'insert', badHook as string, 'webhook_id')
  const relay = await start()
  await eventually(caughtUp)
  t.is(await count(), 9 * 2 + 1)
  t.is(
    await stage
      .knex('webhook_deliveries')
      .where({ webhook_id: goodHook })
      .pluck('id')
      .then(({ length }) => length),
    1
  )
  t.like(await stage.deadLetterStore.list({ limit: 10 }), [{ kind: 'sink.webhooks', key: ids[5], attempts: 1 }])
  t.true(statements.length <= 24, `${statements.length} statements`)

  await allow()
  await stage.deadLetterStore.requestRetries(undefined, 10)
  const retry = createDeadLetterRetry({ store: stage.deadLetterStore, handlers: relay.retries, log: stage.log })
  await retry()
  t.deepEqual(await stage.deadLetterStore.list({ limit: 10 }), [])
  t.is(await count(), 10 * 2)
})

test('while somebody’s webhook is being removed nobody else’s deliveries wait, and theirs come if it stays', async (t) => {
  const { stage, addHooks, start, caughtUp, count } = await startStage(t)
  const [leaving, staying] = [await stage.newUser(), await stage.newUser()]
  const [held] = await addHooks(leaving, 1)
  await addHooks(staying, 1)
  const locked = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const removal = stage.knex
    .transaction(async (trx) => {
      await trx('webhooks').where({ id: held }).delete()
      locked.resolve()
      await release.promise
      throw new Error('changed my mind')
    })
    .catch(() => undefined)
  await locked.promise
  const id = await stage.append({ userId: leaving })
  await stage.append({ userId: staying })
  const relay = await start()
  await eventually(caughtUp)
  t.is(await count(), 1)
  const [letter] = await stage.deadLetterStore.list({ limit: 10 })
  t.like(letter, { kind: 'sink.webhooks', key: id, code: 'webhook_busy' })
  t.truthy(letter?.retryAt)
  release.resolve()
  await removal
  const retry = createDeadLetterRetry({ store: stage.deadLetterStore, handlers: relay.retries, log: stage.log })
  await eventually(async () => (await retry()) === 1)
  t.is(await count(), 2)
  t.deepEqual(await stage.deadLetterStore.list({ limit: 10 }), [])
})
