import test from 'ava'
import { NamedFailure } from '../../../lib/errors/failure.ts'
import { newId } from '../../../lib/ids.ts'
import { adminApiForFile } from '../../helpers/admin-api.ts'
import type { Call } from '../../helpers/platform.ts'

const { api } = adminApiForFile(test)

type Body = ReturnType<typeof JSON.parse>
const call = async (send: Call, method: string, path: string) =>
  (await send<Body>(method, path)) as { status: number; body: Body }

const path = '/admin/dead-letters'

test.serial('administrators see what was put aside and why, page by page and by kind', async (t) => {
  const { newClient, context } = api()
  const { send } = await newClient('admin')
  const keys = [newId(), newId(), newId()]
  for (const key of keys) {
    await context.deadLetters.setAside({ kind: 'sink.webhooks', key, error: new Error('what somebody wrote') })
  }
  const later = new NamedFailure('broker_rejected', 'a queue is full', { retryAfterMs: 60_000 })
  await context.deadLetters.setAside({ kind: 'sink.rabbitmq', key: newId(), payload: { text: 'secret' }, error: later })
  const first = await call(send, 'GET', `${path}?kind=sink.webhooks&limit=2`)
  t.is(first.status, 200)
  t.deepEqual(
    first.body.data.map(({ key }: Body) => key),
    [keys[2], keys[1]]
  )
  t.like(first.body.data[0], { code: 'unexpected', message: 'an unexpected error (Error)', attempts: 1, retryAt: null })
  const second = await call(send, 'GET', `${path}?kind=sink.webhooks&limit=2&cursor=${first.body.nextCursor}`)
  t.deepEqual([second.body.data.length, second.body.nextCursor], [1, null])
  const all = await call(send, 'GET', path)
  t.is(all.body.data.length, 4)
  t.false(JSON.stringify(all.body).includes('secret'))
  t.true(Date.parse(all.body.data[0].retryAt) > Date.now() + 30_000)
  t.is((await call(send, 'GET', `${path}?kind=${encodeURIComponent('%')}`)).status, 422)
})

test.serial('one is tried again, or all of a kind, or given up', async (t) => {
  const { newClient, context } = api()
  const { send } = await newClient('admin')
  const { data } = (await call(send, 'GET', `${path}?kind=sink.webhooks`)).body
  const asked = await call(send, 'POST', `${path}/${data[0].id}/retry`)
  t.is(asked.status, 202)
  t.true(Date.parse(asked.body.retryAt) <= Date.now() + 1_000)
  t.deepEqual(
    (await context.deadLetterStore.takeDue(10, 60_000)).map(({ id }) => id),
    [data[0].id]
  )
  t.deepEqual((await call(send, 'POST', `${path}/retry?kind=sink.webhooks`)).body, { retried: 3 })
  t.is((await context.deadLetterStore.takeDue(10, 60_000)).length, 3)
  t.deepEqual((await call(send, 'POST', `${path}/retry`)).body, { retried: 4 })
  t.is((await call(send, 'DELETE', `${path}/${data[0].id}`)).status, 204)
  for (const id of [data[0].id, newId(), 'nobody']) {
    t.is((await call(send, 'DELETE', `${path}/${id}`)).status, 404)
    t.is((await call(send, 'POST', `${path}/${id}/retry`)).status, 404)
  }
})

test.serial('they are for administrators alone', async (t) => {
  const { send } = await api().newClient()
  t.is((await call(send, 'GET', path)).status, 403)
  t.is((await call(send, 'POST', `${path}/retry`)).status, 403)
  t.is((await call(send, 'POST', `${path}/${newId()}/retry`)).status, 403)
  t.is((await call(send, 'DELETE', `${path}/${newId()}`)).status, 403)
})
