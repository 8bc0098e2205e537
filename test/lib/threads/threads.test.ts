import anyTest, { type TestFn } from 'ava'
import { actionOf, type InputOf } from '../../../lib/actions/actions.ts'
import type { AppError } from '../../../lib/errors/app-error.ts'
import { newId } from '../../../lib/ids.ts'
import { createReferences } from '../../../lib/records/references.ts'
import { createRecords } from '../../../lib/records/records.ts'
import type { Person } from '../../../lib/records/viewer.ts'
import { createEventStore } from '../../../lib/store/events/events.ts'
import { createThreadStore, type Turn } from '../../../lib/store/records/threads.ts'
import { createThreads } from '../../../lib/threads/threads.ts'
import { titleOf } from '../../../lib/threads/title.ts'
import { contextForFile, newUser } from '../../helpers/context.ts'

const test = anyTest as TestFn
const context = contextForFile(test)

const person = (id: string): Person => ({ id, role: 'user' })

function stage() {
  const { knex, transaction, events } = context()
  const store = createThreadStore({ knex })
  const records = createRecords({
    knex,
    transaction,
    events,
    eventStore: createEventStore({ knex }),
    texts: { changed: async () => undefined, removed: async () => undefined },
    ownsJob: async () => false
  })
  const append = (turn: Partial<Turn> & Pick<Turn, 'threadId' | 'userId' | 'jobId'>) =>
    transaction.transact((trx) =>
      store.append(trx, {
        title: 'A question',
        messages: [
          { role: 'user', content: `asked by ${turn.jobId}` },
          { role: 'assistant', content: 'answered' }
        ],
        ...turn
      })
    )
  return { store, threads: createThreads({ store }), records, append }
}

async function begun(userId: string): Promise<string> {
  const id = newId()
  await stage().append({ threadId: id, userId, jobId: id })
  return id
}

test('a thread is begun by its first job and has its messages in order', async (t) => {
  const { threads, append } = stage()
  const userId = await newUser(context())
  const id = await begun(userId)
  const second = newId()
  t.true(await append({ threadId: id, userId, jobId: second }))
  const thread = await threads.find(person(userId), id)
  t.is(thread.title, 'A question')
  t.deepEqual(
    thread.messages.map(({ role, jobId }) => [role, jobId]),
    [
      ['user', id],
      ['assistant', id],
      ['user', second],
      ['assistant', second]
    ]
  )
})

test('a transaction that fails leaves no half turn', async (t) => {
  const { store, threads } = stage()
  const userId = await newUser(context())
  const id = await begun(userId)
  await t.throwsAsync(
    context().transaction.transact(async (trx) => {
      await store.append(trx, {
        threadId: id,
        userId,
        jobId: newId(),
        title: '',
        messages: [{ role: 'user', content: 'lost' }]
      })
      throw new Error('the effect failed')
    })
  )
  t.is((await threads.find(person(userId), id)).messages.length, 2)
})

test('a thread that was deleted stays deleted', async (t) => {
  const { threads, append } = stage()
  const userId = await newUser(context())
  const id = await begun(userId)
  await threads.remove(person(userId), id)
  t.false(await append({ threadId: id, userId, jobId: newId() }))
  await t.throwsAsync(threads.find(person(userId), id), { message: /thread was not found/ })
})

test('memory is the summary and what came after it', async (t) => {
  const { store, append } = stage()
  const userId = await newUser(context())
  const id = await begun(userId)
  await append({ threadId: id, userId, jobId: newId(), summary: { text: 'they greeted', through: 2 } })
  t.like(await store.memory(userId, id), {
    summary: 'they greeted',
    summarisedThrough: 2,
    messages: [{ ordinal: 3 }, { ordinal: 4 }]
  })
  t.is(await store.memory(await newUser(context()), id), undefined)
})

test('threads are listed newest first, page by page, and only to their owner', async (t) => {
  const { threads } = stage()
  const userId = await newUser(context())
  const ids = [await begun(userId), await begun(userId), await begun(userId)]
  await begun(await newUser(context()))
  const first = await threads.list(person(userId), { limit: 2, cursor: undefined })
  t.deepEqual(
    first.data.map(({ id }) => id),
    [ids[2], ids[1]]
  )
  const cursor = Buffer.from(first.nextCursor ?? '', 'base64url').toString()
  const rest = await threads.list(person(userId), { limit: 2, cursor })
  t.deepEqual(
    rest.data.map(({ id }) => id),
    [ids[0]]
  )
  t.is(rest.nextCursor, null)
})

test("somebody else's thread is not found, and cannot be deleted", async (t) => {
  const { threads } = stage()
  const id = await begun(await newUser(context()))
  const other = { id: await newUser(context(), 'admin'), role: 'admin' as const }
  await t.throwsAsync(threads.find(other, id), { message: /was not found/ })
  await t.throwsAsync(threads.remove(other, id), { message: /was not found/ })
  await t.throwsAsync(threads.find(other, 'no-uuid'), { message: /was not found/ })
})

test('a chat may refer only to what its sender can see, and every wrong field is named', async (t) => {
  const { store, records } = stage()
  const checkReferences = createReferences({ threads: store, access: records.access })
  const check = (person: Person, input: InputOf<'chat_completion'>) =>
    checkReferences(person, actionOf('chat_completion').references(input))
  const [mine, other] = [await newUser(context()), await newUser(context())]
  const make = (userId: string) =>
    records.run(async (trx) => {
      const course = await records.courses.create(trx, person(userId), {
        title: 'C',
        language: 'en',
        visibility: 'private'
      })
      const goal = await records.goals.create(trx, person(userId), { title: 'G', status: 'active' })
      const task = await records.tasks.create(trx, person(userId), { goalId: goal.id, title: 'T', status: 'pending' })
      return { courseId: course.id, goalId: goal.id, taskId: task.id }
    })
  const common = { message: 'hello', agent: 'auto', allowWrites: false } as const
  await check(person(mine), { ...common, ...(await make(mine)), threadId: await begun(mine) })
  const error = await t.throwsAsync<AppError>(
    check(person(mine), { ...common, ...(await make(other)), threadId: await begun(other) })
  )
  t.is(error.status, 422)
  t.deepEqual(
    error.extras.errors?.map(({ path }) => path),
    ['threadId', 'goalId', 'taskId', 'courseId']
  )
})

test('a title is one line of the first message, cut between words', (t) => {
  t.is(titleOf('  What is\n a closure? '), 'What is a closure?')
  const long = titleOf('word '.repeat(40))
  t.true(long.length <= 80 && long.endsWith('word…'))
})
