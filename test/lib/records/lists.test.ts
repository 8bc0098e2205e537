import test from 'ava'
import { cursorSchema } from '../../../lib/schemas/page.ts'
import { eventQuerySchema } from '../../../lib/schemas/event.ts'
import { recordsForFile } from '../../helpers/records.ts'

const place = recordsForFile(test)
const cursorOf = (page: { nextCursor: string | null }) => cursorSchema.parse(page.nextCursor)

test('a list goes on where the page before ended, whatever is added meanwhile', async (t) => {
  const { records, newActor } = place()
  const actor = await newActor()
  const add = (title: string) =>
    records.run((trx) => records.courses.create(trx, actor, { title, language: 'en', visibility: 'private' }))
  const made = []
  for (let n = 0; n < 7; n++) made.push((await add(`Course ${n}`)).id)
  const seen: string[] = []
  let page = await records.courses.list(actor, { limit: 3, ownerId: actor.id })
  for (;;) {
    seen.push(...page.data.map(({ id }) => id))
    if (!page.nextCursor) break
    await add('Newer')
    page = await records.courses.list(actor, { limit: 3, ownerId: actor.id, cursor: cursorOf(page) })
  }
  t.deepEqual(seen, made.toReversed())
})

test('a page with exactly as many as asked for is the last when there are no more', async (t) => {
  const { records, newActor } = place()
  const actor = await newActor()
  await records.run((trx) =>
    records.goals.createMany(trx, actor, [
      { title: 'a', status: 'active' },
      { title: 'b', status: 'archived' }
    ])
  )
  t.is((await records.goals.list(actor, { limit: 2 })).nextCursor, null)
  t.truthy((await records.goals.list(actor, { limit: 1 })).nextCursor)
  t.deepEqual(
    (await records.goals.list(actor, { limit: 5, status: 'archived' })).data.map(({ title }) => title),
    ['b']
  )
  t.deepEqual(await records.goals.list(await newActor(), { limit: 5 }), { data: [], nextCursor: null })
})

test("administrators list what is everybody's and may ask for one person's", async (t) => {
  const { records, newActor } = place()
  const [one, two, admin] = [await newActor(), await newActor(), await newActor('admin')]
  for (const actor of [one, two]) {
    await records.run((trx) => records.goals.create(trx, actor, { title: 'mine', status: 'active' }))
  }
  const users = new Set((await records.goals.list(admin, { limit: 100 })).data.map(({ userId }) => userId))
  t.true(users.has(one.id) && users.has(two.id))
  const ofOne = await records.goals.list(admin, { limit: 100, userId: one.id })
  t.deepEqual(
    ofOne.data.map(({ userId }) => userId),
    [one.id]
  )
  t.deepEqual((await records.goals.list(two, { limit: 100, userId: one.id })).data, [])
})

test('filters on references and on the language of code', async (t) => {
  const { records, newActor } = place()
  const actor = await newActor()
  await records.run(async (trx) => {
    const goal = await records.goals.create(trx, actor, { title: 'g', status: 'active' })
    const [a, b] = [
      await records.tasks.create(trx, actor, { goalId: goal.id, title: 'a', status: 'pending' }),
      await records.tasks.create(trx, actor, { goalId: goal.id, title: 'b', status: 'completed' })
    ]
    await records.codeSnapshots.create(trx, actor, { language: 'Python', source: '1', taskId: a.id })
    await records.codeSnapshots.create(trx, actor, { language: 'c', source: '2', taskId: b.id })
    await records.codeSnapshots.create(trx, actor, { language: 'python', source: '3' })
  })
  const [goal] = (await records.goals.list(actor, { limit: 1 })).data
  const titles = async (query: object) =>
    (await records.tasks.list(actor, { limit: 10, ...query })).data.map(({ title }) => title)
  const sources = async (query: object) =>
    (await records.codeSnapshots.list(actor, { limit: 10, ...query })).data.map(({ source }) => source)
  t.deepEqual(await titles({ goalId: goal?.id }), ['b', 'a'])
  t.deepEqual(await titles({ status: 'completed' }), ['b'])
  t.deepEqual(await titles({ goalId: actor.id }), [])
  t.deepEqual(await sources({ language: 'PYTHON' }), ['3', '1'])
  const [done] = (await records.tasks.list(actor, { limit: 1, status: 'completed' })).data
  t.deepEqual(await sources({ taskId: done?.id }), ['2'])
})

test('a page of long documents ends early, and the rest follows', async (t) => {
  const { records, newActor } = place()
  const [actor] = [await newActor()]
  const megabytes = (n: number) => 'é'.repeat(n * 512 * 1024)
  const course = await records.run(async (trx) => {
    const made = await records.courses.create(trx, actor, { title: 'c', language: 'en', visibility: 'private' })
    for (const size of [5, 5, 3, 3, 1]) {
      await records.documents.create(trx, actor, { title: `${size}`, markdown: megabytes(size), courseId: made.id })
    }
    return made
  })
  const first = await records.documents.list(actor, { limit: 100, courseId: course.id })
  t.deepEqual(
    first.data.map(({ title }) => title),
    ['1', '3', '3']
  )
  const second = await records.documents.list(actor, { limit: 100, courseId: course.id, cursor: cursorOf(first) })
  t.deepEqual(
    second.data.map(({ title }) => title),
    ['5']
  )
  const third = await records.documents.list(actor, { limit: 100, courseId: course.id, cursor: cursorOf(second) })
  t.deepEqual(
    third.data.map(({ title }) => title),
    ['5']
  )
  t.is(third.nextCursor, null)
})

test('a person lists their own events, the newest first, by type and by its beginning', async (t) => {
  const { records, newActor } = place()
  const [actor, other] = [await newActor(), await newActor()]
  const ids: string[] = []
  for (const type of ['client.opened', 'client.page.read', 'client.opened']) {
    ids.push(await records.run((trx) => records.events.create(trx, actor, { type, data: { type } })))
  }
  await records.run((trx) => records.events.create(trx, other, { type: 'client.opened' }))
  const list = async (query: Record<string, string>) =>
    await records.events.list(actor, eventQuerySchema.parse({ ...query }))
  t.deepEqual(
    (await list({})).data.map(({ id }) => id),
    ids.toReversed()
  )
  t.deepEqual(
    (await list({ type: 'client.opened' })).data.map(({ id }) => id),
    [ids[2], ids[0]]
  )
  t.deepEqual(
    (await list({ type: 'client.page.*' })).data.map(({ id }) => id),
    [ids[1]]
  )
  const page = await list({ limit: '2' })
  const rest = await list({ limit: '2', cursor: page.nextCursor as string })
  t.deepEqual(
    [...page.data, ...rest.data].map(({ id }) => id),
    ids.toReversed()
  )
  t.is(rest.nextCursor, null)
  t.deepEqual((await records.events.list(other, eventQuerySchema.parse({ userId: actor.id }))).data, [])
  t.like(await records.events.find(actor, ids[0] as string), { type: 'client.opened', position: null, subject: null })
})

test('after a position events come the oldest first, page by page', async (t) => {
  const { records, newActor, context } = place()
  const actor = await newActor()
  const ids: string[] = []
  for (let n = 0; n < 5; n++) {
    ids.push(await records.run((trx) => records.events.create(trx, actor, { type: 'client.step', subject: `${n}` })))
  }
  for (const [n, id] of ids.entries())
    await context
      .knex('events')
      .where({ id })
      .update({ position: 9_000_000 + n })
  const list = async (query: Record<string, string>) => await records.events.list(actor, eventQuerySchema.parse(query))
  const first = await list({ after: '9000000', limit: '2' })
  t.deepEqual(
    first.data.map(({ subject }) => subject),
    ['1', '2']
  )
  const second = await list({ after: '9000000', limit: '2', cursor: first.nextCursor as string })
  t.deepEqual(
    second.data.map(({ subject }) => subject),
    ['3', '4']
  )
  t.is(second.nextCursor, null)
  const newest = await list({ limit: '2' })
  t.false(eventQuerySchema.safeParse({ after: '0', cursor: newest.nextCursor }).success, 'a cursor of the other order')
})
