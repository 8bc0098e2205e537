import test from 'ava'
import { threadEndpoints } from '../../api/routes/threads.ts'
import { newId } from '../../lib/ids.ts'
import { threadSchema, threadWithMessagesSchema } from '../../lib/schemas/thread.ts'
import { createThreads } from '../../lib/threads/threads.ts'
import { startApi } from '../helpers/api.ts'
import { contextForFile } from '../helpers/context.ts'

const context = contextForFile(test)

test('conversations are listed, read and deleted by the one who had them', async (t) => {
  const { threadStore, transaction, isolation } = context()
  const endpoints = threadEndpoints({ threads: createThreads({ store: threadStore }) })
  const api = await startApi(t, { place: isolation, endpoints })
  const [ada, bob] = [await api.enter('ada'), await api.enter('bob')]
  const ids: string[] = []
  for (const title of ['What is a closure?', 'And recursion?']) {
    const id = newId()
    ids.push(id)
    const messages = [
      { role: 'user' as const, content: title },
      { role: 'assistant' as const, content: 'It depends.' }
    ]
    await transaction.transact((trx) =>
      threadStore.append(trx, { threadId: id, userId: ada.id, jobId: id, title, messages })
    )
  }

  const list = await api.send('GET', '/api/v1/chat/threads?limit=1', { token: ada.token })
  t.is(list.status, 200)
  t.deepEqual(
    list.body.data.map((thread: unknown) => threadSchema.strict().parse(thread).id),
    [ids[1]]
  )
  const rest = await api.send('GET', `/api/v1/chat/threads?cursor=${list.body.nextCursor}`, { token: ada.token })
  t.deepEqual(
    rest.body.data.map(({ id }: { id: string }) => id),
    [ids[0]]
  )
  t.is(rest.body.nextCursor, null)
  t.is((await api.send('GET', '/api/v1/chat/threads?page=2', { token: ada.token })).status, 422)

  const path = `/api/v1/chat/threads/${ids[0]}`
  const read = await api.send('GET', path, { token: ada.token })
  t.is(read.status, 200)
  const thread = threadWithMessagesSchema.strict().parse(read.body)
  t.is(thread.title, 'What is a closure?')
  t.deepEqual(
    thread.messages.map(({ role, jobId }) => [role, jobId]),
    [
      ['user', ids[0]],
      ['assistant', ids[0]]
    ]
  )

  for (const method of ['GET', 'DELETE']) {
    t.is((await api.send(method, path, { token: bob.token })).status, 404)
    t.is((await api.send(method, '/api/v1/chat/threads/no-uuid', { token: ada.token })).status, 404)
    t.is((await api.send(method, path)).status, 401)
  }
  t.deepEqual((await api.send('GET', '/api/v1/chat/threads', { token: bob.token })).body.data, [])

  t.is((await api.send('DELETE', path, { token: ada.token })).status, 204)
  t.is((await api.send('GET', path, { token: ada.token })).status, 404)
})
