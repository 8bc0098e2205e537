import { hostname } from 'node:os'
import test, { type ExecutionContext } from 'ava'
import { Webhook } from 'standardwebhooks'
import { webhookEndpoints } from '../../../api/routes/webhooks.ts'
import { createDeadLetters } from '../../../lib/dead-letters/dead-letters.ts'
import { newId } from '../../../lib/ids.ts'
import { createLogger } from '../../../lib/logger.ts'
import { createOwnerScope } from '../../../lib/sharing/owner-scope.ts'
import { createDeliveryStore, type Places } from '../../../lib/store/events/webhook-deliveries.ts'
import { createUserStore } from '../../../lib/store/people/users.ts'
import { createWebhookStore } from '../../../lib/store/events/webhooks.ts'
import { createWebhookServices } from '../../../lib/webhooks/index.ts'
import { createWebhookPool } from '../../../workers/webhooks.ts'
import { eventually } from '../../helpers/context.ts'
import { createEventStage } from '../../helpers/event-stage.ts'
import { openReceiver } from '../../helpers/receiver.ts'

const actorOf = (id: string) => ({ id, role: 'user' as const, credential: { kind: 'session' as const, id } })

type Options = { allow?: boolean; pool?: boolean; places?: Partial<Places> }

/** A relay with its third sink, a pool and a receiver that may be reached. */
async function startStage(t: ExecutionContext, { allow = true, pool: withPool = true, places }: Options = {}) {
  const stage = await createEventStage(t)
  const receiver = await openReceiver()
  const lines: string[] = []
  const log = createLogger({ level: 'info', name: 'test' }, { write: (line: string) => void lines.push(line) })
  const room = createWebhookServices({
    knex: stage.knex,
    redis: stage.openRedis('commands'),
    prefix: stage.prefix,
    allow: allow ? [receiver.host] : [],
    log
  })
  const openPool = () =>
    createWebhookPool({
      deadLetters: createDeadLetters({ store: stage.deadLetterStore, log }),
      ...room,
      subscriber: stage.openRedis('subscriber'),
      prefix: stage.prefix,
      owners: createOwnerScope(),
      places: { quick: 100, slow: 50, ofUser: 10, ofWebhook: 5, ...places },
      log
    })
  const pool = openPool()
  if (withPool) pool.start()
  stage.closeFirst(async () => {
    await receiver.close()
    await pool.stop()
  })
  const relay = stage.relay({ sinks: [room.sink] })
  relay.start()
  const userId = await stage.newUser()
  const actor = actorOf(userId)
  const deliveriesOf = async (id: string) => (await room.webhooks.deliveriesOf(actor, id, { limit: 100 })).data
  /** Brings the next attempt forward, which the schedule puts seconds to hours away. */
  const hurry = async () => {
    await stage.knex('webhook_deliveries').where({ status: 'pending' }).update({ next_attempt_at: stage.knex.fn.now() })
  }
  return { stage, receiver, room, actor, userId, deliveriesOf, hurry, openPool, pool, lines, relay }
}

test('an event is posted to every webhook that asks for it, signed, and to no other', async (t) => {
  const { stage, receiver, room, actor, userId, deliveriesOf } = await startStage(t)
  const goals = await room.webhooks.create(actor, { url: `${receiver.url}?goals`, events: ['goal.*'] })
  const all = await room.webhooks.create(actor, { url: `${receiver.url}?all`, events: ['*'] })
  const stranger = actorOf(await stage.newUser())
  await room.webhooks.create(stranger, { url: `${receiver.url}?stranger`, events: ['*'] })

  const goalId = await stage.append({ userId, type: 'goal.created', data: { title: 'Grüße' } })
  const taskId = await stage.append({ userId, type: 'task.created' })
  await eventually(async () => receiver.got.length === 3)
  t.deepEqual(
    receiver.got
      .map(({ path, headers }) => `${path} ${String(headers['webhook-id'])}`)
      .toSorted((a, b) => a.localeCompare(b)),
    [`/hook?all ${goalId}`, `/hook?all ${taskId}`, `/hook?goals ${goalId}`].toSorted((a, b) => a.localeCompare(b))
  )
  const [post] = receiver.got.filter(({ path }) => path === '/hook?goals')
  t.regex(post?.headers['content-type'] ?? '', /^application\/cloudevents\+json/)
  const headers = post?.headers as Record<string, string>
  t.like(new Webhook(goals.secret).verify(post?.body ?? '', headers), {
    specversion: '1.0',
    id: goalId,
    type: 'goal.created',
    data: { title: 'Grüße' }
  } as object)
  t.throws(() => new Webhook(all.secret).verify(post?.body ?? '', headers))

  await eventually(async () => (await deliveriesOf(goals.id)).every(({ status }) => status === 'delivered'))
  const [delivery] = await deliveriesOf(goals.id)
  t.like(delivery, { eventId: goalId, eventType: 'goal.created', attempts: 1, responseStatus: 204, error: null })
  t.is(delivery?.nextAttemptAt, null)
  t.truthy(delivery?.deliveredAt)
})

test('a failed attempt is repeated on the schedule, and given up in the end', async (t) => {
  const { stage, receiver, room, actor, userId, deliveriesOf, hurry } = await startStage(t)
  const { id } = await room.webhooks.create(actor, { url: receiver.url, events: ['*'] })
  receiver.answer((_, count) => ({
    status: 503,
    body: 'a secret of the receiver',
    ...(count > 1 ? {} : { headers: { 'retry-after': '90' } })
  }))
  await stage.append({ userId })
  const attempted = (n: number) =>
    eventually(async () => (await deliveriesOf(id)).find(({ attempts }) => attempts === n))

  const first = await attempted(1)
  t.like(first, { status: 'pending', responseStatus: 503, error: 'status' })
  const waitMs = Date.parse(first.nextAttemptAt ?? '') - Date.now()
  t.true(waitMs > 30_000 && waitMs <= 90_000, `${waitMs} ms`)
  t.false(JSON.stringify(first).includes('a secret of the receiver'))
  for (let n = 2; n <= 10; n++) {
    await hurry()
    await attempted(n)
  }
  const [last] = await deliveriesOf(id)
  t.like(last, { status: 'failed', attempts: 10, nextAttemptAt: null })
  t.is(receiver.got.length, 10)
  t.is(new Set(receiver.got.map(({ headers }) => headers['webhook-id'])).size, 1)
  t.is(new Set(receiver.got.map(({ body }) => body)).size, 1)
})

test('a redelivery sends the same once more, whatever became of the first', async (t) => {
  const { stage, receiver, room, actor, userId, deliveriesOf } = await startStage(t)
  const { id } = await room.webhooks.create(actor, { url: receiver.url, events: ['*'] })
  await stage.append({ userId })
  const first = await eventually(async () => (await deliveriesOf(id)).find(({ status }) => status === 'delivered'))
  const again = await room.webhooks.redeliver(actor, id, first.id)
  t.like(again, { status: 'pending', redeliveryOf: first.id, eventId: first.eventId, attempts: 0 })
  await eventually(async () => receiver.got.length === 2)
  t.is(receiver.got[1]?.body, receiver.got[0]?.body)
  t.is(receiver.got[1]?.headers['webhook-id'], receiver.got[0]?.headers['webhook-id'])
  await eventually(async () => (await deliveriesOf(id)).every(({ status }) => status === 'delivered'))
  t.is((await deliveriesOf(id)).length, 2)
  await t.throwsAsync(room.webhooks.redeliver(actorOf(await stage.newUser()), id, first.id), { message: /not found/ })
})

test('410 disables the webhook and ends what waits for it', async (t) => {
  const { stage, receiver, room, actor, userId, deliveriesOf, hurry } = await startStage(t)
  const { id } = await room.webhooks.create(actor, { url: receiver.url, events: ['*'] })
  // The first is not tried again before the second comes, however slow the machine is.
  receiver.answer((_, count) => (count === 1 ? { status: 500, headers: { 'retry-after': '600' } } : { status: 410 }))
  await stage.append({ userId })
  await eventually(async () => (await deliveriesOf(id))[0]?.attempts === 1)
  await stage.append({ userId })
  await eventually(async () => !(await room.webhooks.find(actor, id)).enabled)
  t.like(await room.webhooks.find(actor, id), { enabled: false, disabledReason: 'gone' })
  await eventually(async () => (await deliveriesOf(id)).every(({ status }) => status === 'failed'))
  t.deepEqual(
    (await deliveriesOf(id)).map(({ error }) => error),
    ['status', 'disabled']
  )
  await hurry()
  const before = (await stage.events.ends()).last
  await stage.append({ userId })
  await eventually(async () => (await stage.relayStore.lag()).sinks.every(({ behind }) => behind === 0))
  t.true((await stage.events.ends()).last >= before)
  t.is((await deliveriesOf(id)).length, 2)
  t.is(receiver.got.length, 2)
  await t.throwsAsync(room.webhooks.redeliver(actor, id, (await deliveriesOf(id))[0]?.id ?? ''), {
    message: /disabled/
  })
  t.like(await room.webhooks.update(actor, id, { enabled: true }), { enabled: true, disabledReason: null })
})

test('what an event sends is kept once, whatever the number of its webhooks, and goes with its person', async (t) => {
  const { stage, receiver, room, actor, userId } = await startStage(t)
  for (let n = 0; n < 3; n++) await room.webhooks.create(actor, { url: `${receiver.url}?${n}`, events: ['*'] })
  const eventId = await stage.append({ userId, type: 'goal.created', data: { title: 'once' } })
  await eventually(async () => receiver.got.length === 3)
  t.deepEqual(await stage.knex('webhook_bodies').pluck('event_id'), [eventId])
  await stage.knex.transaction((trx) => createUserStore({ knex: stage.knex }).remove(trx, userId))
  t.deepEqual(await stage.knex('webhook_bodies'), [])
})

test('a body that no delivery has any more is removed, and no other', async (t) => {
  const { stage, receiver, room, actor, userId } = await startStage(t)
  const hook = await room.webhooks.create(actor, { url: receiver.url, events: ['goal.*'] })
  const eventId = await stage.append({ userId, type: 'goal.created' })
  await eventually(async () => receiver.got.length === 1)
  await stage.knex('webhook_bodies').update({ created_at: stage.knex.raw("now() - interval '2 hours'") })
  const store = createDeliveryStore({ knex: stage.knex })
  t.is(await store.removeUnusedBodies(10), 0)
  t.deepEqual(await stage.knex('webhook_bodies').pluck('event_id'), [eventId])
  await room.webhooks.remove(actor, hook.id)
  t.is(await store.removeUnusedBodies(10), 1)
})

test('redirects are not followed', async (t) => {
  const { stage, receiver, room, actor, userId, deliveriesOf } = await startStage(t)
  const { id } = await room.webhooks.create(actor, { url: receiver.url, events: ['*'] })
  receiver.answer(() => ({ status: 307, headers: { location: '/elsewhere' } }))
  await stage.append({ userId })
  await eventually(async () => (await deliveriesOf(id))[0]?.attempts === 1)
  t.like((await deliveriesOf(id))[0], { status: 'pending', responseStatus: 307, error: 'status' })
  t.deepEqual(new Set(receiver.got.map(({ path }) => path)), new Set(['/hook']))
})

test('an address that is not public is refused at creation and, should it be there, at sending', async (t) => {
  const { stage, receiver, room, actor, userId, deliveriesOf } = await startStage(t, { allow: false })
  for (const url of [receiver.url, 'http://localhost/', 'https://10.1.2.3/', 'http://[::1]/', 'http://0x7f.1/']) {
    const error = await t.throwsAsync(room.webhooks.create(actor, { url, events: ['*'] }))
    t.like(error, {
      code: 'invalid',
      extras: { errors: [{ path: 'url', message: 'must lead to a public address' }] }
    } as object)
  }
  const { id } = await room.webhooks.create(actor, { url: 'https://8.8.8.8/', events: ['client.*'] })
  await stage.knex('webhooks').where({ id }).update({ url: receiver.url })
  await stage.append({ userId, type: 'client.literal' })
  await eventually(async () => ((await deliveriesOf(id))[0]?.attempts ?? 0) > 0)
  await stage
    .knex('webhooks')
    .where({ id })
    .update({ url: receiver.url.replace('127.0.0.1', 'localhost') })
  await stage.append({ userId, type: 'client.name' })
  await eventually(async () => (await deliveriesOf(id)).filter(({ attempts }) => attempts > 0).length === 2)
  for (const delivery of await deliveriesOf(id)) t.like(delivery, { status: 'pending', error: 'address_refused' })
  t.is(receiver.got.length, 0)
})

test('deliveries whose bell nobody heard are found by their rows', async (t) => {
  const { stage, receiver, room, actor, userId, openPool, deliveriesOf } = await startStage(t, { pool: false })
  const { id } = await room.webhooks.create(actor, { url: receiver.url, events: ['*'] })
  await stage.append({ userId })
  await eventually(async () => (await deliveriesOf(id)).length === 1)
  const pool = openPool()
  pool.start()
  stage.closeFirst(() => pool.stop())
  await eventually(async () => receiver.got.length === 1)
  t.pass()
})

test('a delivery whose end the database will not take is not sent again and again', async (t) => {
  const { stage, receiver, room, actor, userId } = await startStage(t)
  const { id } = await room.webhooks.create(actor, { url: receiver.url, events: ['*'] })
  // Its attempts may be begun, and not ended.
  await stage.knex.raw(`
    create function refuse_end() returns trigger language plpgsql as $$
    begin
      raise exception 'refused' using errcode = '23514';
    end $$;
    create trigger refuse_end before update of attempts on webhook_deliveries for each row
      when (new.event_type = 'goal.bad') execute function refuse_end();
  `)
  await stage.append({ userId, type: 'goal.bad' })
  const letters = await eventually(async () => {
    const found = await stage.deadLetterStore.list({ kind: 'webhook_deliveries', limit: 10 })
    return found.length > 0 && found
  })
  t.is(receiver.got.length, 1)
  await stage.knex('webhook_deliveries').update({ next_attempt_at: stage.knex.fn.now() })
  await stage.append({ userId })
  await eventually(async () => receiver.got.length === 2)
  t.like(receiver.got[1], { path: '/hook' })
  await stage.knex.raw('drop trigger refuse_end on webhook_deliveries')
  await stage.deadLetterStore.remove(letters[0]?.id ?? '')
  await eventually(async () => receiver.got.length === 3)
  const deliveries = await room.webhooks.deliveriesOf(actor, id, { limit: 10 })
  await eventually(async () => (await stage.knex('webhook_deliveries').where({ status: 'pending' })).length === 0)
  t.is(deliveries.data.length, 2)
})

test('an event that the relay offers again makes no second delivery', async (t) => {
  const { stage, receiver, room, actor, userId, relay, deliveriesOf } = await startStage(t)
  const { id } = await room.webhooks.create(actor, { url: receiver.url, events: ['*'] })
  for (let i = 0; i < 5; i++) await stage.append({ userId })
  await eventually(async () => receiver.got.length === 5)
  await relay.stop()
  await stage.knex('relay_cursors').update({ position: 0 })
  stage.relay({ sinks: [room.sink] }).start()
  await stage.append({ userId })
  await eventually(async () => receiver.got.length === 6)
  await eventually(async () => (await stage.relayStore.lag()).sinks.every(({ behind }) => behind === 0))
  t.is((await deliveriesOf(id)).length, 6)
})

test('a webhook that is deleted while an event is on its way gets none, and the others do', async (t) => {
  const { stage, receiver, room, actor } = await startStage(t, { pool: false })
  const hook = () => room.webhooks.create(actor, { url: receiver.url, events: ['client.none'] })
  const [gone, kept] = [await hook(), await hook()]
  await room.webhooks.remove(actor, gone.id)
  const event = { eventId: newId(), eventType: 'goal.created', position: 1, body: '{"a":"\\u0001é"}' }
  const deliveries = [gone, kept].map(({ id }) => ({ ...event, webhookId: id }))
  const store = createDeliveryStore({ knex: stage.knex })
  const { made, busy } = await store.insertMissing(deliveries)
  t.deepEqual(busy, [])
  t.is(made.length, 1)
  const places = { quick: 10, slow: 10, ofUser: 10, ofWebhook: 5 }
  const [taken, ...others] = await store.take(places, [], 1_000)
  t.like(taken, { id: made[0], webhookId: kept.id, eventId: event.eventId, body: event.body })
  t.deepEqual(others, [])
  t.deepEqual(await store.insertMissing(deliveries), { made: [], busy: [] })
})

test('a webhook that hangs leaves room for the others', async (t) => {
  const { stage, receiver, room, actor, userId } = await startStage(t)
  receiver.answer(({ path }) => (path === '/hook?hangs' ? 'silence' : { status: 200 }))
  await room.webhooks.create(actor, { url: `${receiver.url}?hangs`, events: ['*'] })
  await room.webhooks.create(actor, { url: `${receiver.url}?works`, events: ['*'] })
  for (let i = 0; i < 40; i++) await stage.append({ userId })
  await eventually(async () => receiver.got.filter(({ path }) => path === '/hook?works').length === 40)
  t.true(receiver.mostUnanswered() <= 5, `${receiver.mostUnanswered()} at once`)
})

test('a person’s thousand deliveries to receivers that never answer leave another’s way free', async (t) => {
  const { stage, receiver, room, actor, userId } = await startStage(t, { places: { quick: 12, slow: 4 } })
  receiver.answer(({ path }) => (path === '/hook?works' ? { status: 200 } : 'silence'))
  for (let n = 0; n < 20; n++) await room.webhooks.create(actor, { url: `${receiver.url}?silent${n}`, events: ['*'] })
  const otherId = await stage.newUser()
  await room.webhooks.create(actorOf(otherId), { url: `${receiver.url}?works`, events: ['*'] })
  for (let n = 0; n < 50; n++) await stage.append({ userId })
  await eventually(async () => receiver.mostUnanswered() >= 10)

  const got = () => receiver.got.filter(({ path }) => path === '/hook?works').length
  for (let n = 0; n < 5; n++) await stage.append({ userId: otherId })
  await eventually(async () => got() === 5)
  t.is(receiver.mostUnanswered(), 10, 'one person has ten places')
})

test('people are served in turn: one who has less under way comes before another’s backlog', async (t) => {
  const { stage, room, actor } = await startStage(t, { pool: false })
  const other = actorOf(await stage.newUser())
  const store = createDeliveryStore({ knex: stage.knex })
  const event = { eventType: 'goal.created', body: '{}' }
  const hooks = async (of: typeof actor, count: number) => {
    const made: string[] = []
    for (let n = 0; n < count; n++) {
      made.push((await room.webhooks.create(of, { url: 'https://8.8.8.8/', events: ['client.none'] })).id)
    }
    return made
  }
  const [mine, theirs] = [await hooks(actor, 4), await hooks(other, 1)]
  const backlog = (ids: string[], count: number) =>
    ids.flatMap((webhookId) =>
      Array.from({ length: count }, (_, position) => ({ ...event, webhookId, eventId: newId(), position }))
    )
  await store.insertMissing(backlog(mine, 50))
  await store.insertMissing(backlog(theirs, 3))

  const places = { quick: 6, slow: 2, ofUser: 5, ofWebhook: 2 }
  const countOf = (taken: { userId: string }[], { id }: { id: string }) =>
    taken.filter(({ userId }) => userId === id).length
  const first = await store.take(places, [], 60_000)
  t.deepEqual([countOf(first, actor), countOf(first, other)], [4, 2])
  t.true(Object.values(Object.groupBy(first, ({ webhookId }) => webhookId)).every((own = []) => own.length <= 2))

  const underWay = mine.slice(0, 2).map((webhookId) => ({ webhookId, userId: actor.id, slow: false, count: 2 }))
  const second = await store.take(places, underWay, 60_000)
  t.deepEqual([countOf(second, actor), countOf(second, other)], [1, 1], 'with what is under way one has five places')
  t.deepEqual(await store.take(places, [...underWay, ...underWay], 60_000), [])
})

test('a webhook that takes long has one place of those for slow ones, until it is quick again', async (t) => {
  const { stage, room, actor } = await startStage(t, { pool: false })
  const { id } = await room.webhooks.create(actor, { url: 'https://8.8.8.8/', events: ['client.none'] })
  const store = createDeliveryStore({ knex: stage.knex })
  const webhooks = createWebhookStore({ knex: stage.knex })
  const event = { webhookId: id, eventType: 'goal.created', body: '{}' }
  await store.insertMissing(Array.from({ length: 20 }, (_, position) => ({ ...event, eventId: newId(), position })))
  const places = { quick: 0, slow: 3, ofUser: 5, ofWebhook: 5 }
  t.deepEqual(await store.take(places, [], 60_000), [])
  await webhooks.setSlow(id, true)
  t.is((await store.take(places, [], 60_000)).length, 1)
  const underWay = [{ webhookId: id, userId: actor.id, slow: true, count: 1 }]
  t.deepEqual(await store.take(places, underWay, 60_000), [])
  await webhooks.setSlow(id, false)
  t.is((await store.take({ ...places, quick: 10 }, [], 60_000)).length, 5)
})

test('what a dead process had taken is attempted by another when its lease is over', async (t) => {
  const { stage, receiver, room, actor, userId, openPool, deliveriesOf } = await startStage(t, { pool: false })
  const { id } = await room.webhooks.create(actor, { url: receiver.url, events: ['*'] })
  await stage.append({ userId })
  await eventually(async () => (await deliveriesOf(id)).length === 1)
  const places = { quick: 10, slow: 10, ofUser: 10, ofWebhook: 5 }
  t.is((await createDeliveryStore({ knex: stage.knex }).take(places, [], 500)).length, 1)
  const pool = openPool()
  pool.start()
  stage.closeFirst(() => pool.stop())
  await eventually(async () => receiver.got.length === 1)
  await eventually(async () => (await deliveriesOf(id)).every(({ status }) => status === 'delivered'))
  t.pass()
})

test('a name is taken whether or not it leads anywhere, and where it leads is told by no delivery', async (t) => {
  const { stage, receiver, room, actor, userId, deliveriesOf } = await startStage(t, { allow: false })
  const names = ['no-such-name.invalid', hostname(), 'postgres']
  const hooks: string[] = []
  for (const name of names) {
    hooks.push(
      (
        await room.webhooks.create(actor, {
          url: `http://${name}:${new URL(receiver.url).port}/`,
          events: ['client.*']
        })
      ).id
    )
  }
  await stage.append({ userId, type: 'client.name' })
  for (const id of hooks) {
    const first = await eventually(async () => (await deliveriesOf(id)).find(({ attempts }) => attempts > 0))
    t.like(first, { status: 'pending', error: 'unknown_host', responseStatus: null })
  }
  t.is(receiver.got.length, 0)
})

test('a person has at most twenty, and changes them by If-Match', async (t) => {
  const { receiver, room, actor, stage } = await startStage(t, { pool: false })
  const { webhooks } = room
  const input = { url: receiver.url, events: ['*'] }
  const results = await Promise.allSettled(Array.from({ length: 25 }, () => webhooks.create(actor, input)))
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 20)
  const page = await webhooks.list(actor, { limit: 15 })
  t.is(page.data.length, 15)
  t.truthy(page.nextCursor)
  const [hook] = page.data
  if (!hook) return t.fail()
  t.false('secret' in hook)
  await t.throwsAsync(webhooks.update(actor, hook.id, { events: ['goal.*'] }, '"other"'), { message: /has changed/ })
  t.like(await webhooks.update(actor, hook.id, { events: ['goal.*'] }), { events: ['goal.*'] })
  await t.throwsAsync(webhooks.find(actorOf(await stage.newUser()), hook.id), { message: /not found/ })
  await webhooks.remove(actor, hook.id)
  await t.throwsAsync(webhooks.find(actor, hook.id), { message: /not found/ })
})

test('the routes are those of the contract', async (t) => {
  const { room } = await startStage(t, { pool: false })
  t.deepEqual(
    webhookEndpoints(room).map(({ method, path }) => `${method} ${path}`),
    [
      'get /webhooks',
      'post /webhooks',
      'get /webhooks/:id',
      'patch /webhooks/:id',
      'delete /webhooks/:id',
      'get /webhooks/:id/deliveries',
      'post /webhooks/:id/deliveries/:deliveryId/redeliver'
    ]
  )
})
