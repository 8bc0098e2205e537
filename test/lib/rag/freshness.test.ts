import test from 'ava'
import type { Actor } from '../../../lib/access/actor.ts'
import { ragForFile } from './place.ts'
import { applyEffect } from '../../helpers/effect.ts'

const place = ragForFile(test)

const rowsOf = async (id: string) => await place().context.knex('embeddings').where({ source_id: id }).orderBy('chunk')
const queued = async (id: string): Promise<number> => {
  const jobs = await place().context.knex('jobs').where({ source_id: id, status: 'queued' })
  return jobs.length
}

async function stage() {
  const { records, newActor, embedQueued } = place()
  const actor: Actor = await newActor()
  return await records
    .run(async (trx) => {
      const input = { language: 'en', visibility: 'private' } as const
      const course = await records.courses.create(trx, actor, { ...input, title: 'First', subject: 'Python' })
      const other = await records.courses.create(trx, actor, { ...input, title: 'Second', language: 'de' })
      const goal = await records.goals.create(trx, actor, {
        title: 'Sorting lists',
        status: 'active',
        courseId: course.id
      })
      const task = await records.tasks.create(trx, actor, { goalId: goal.id, title: 'Bubble sort', status: 'pending' })
      const code = await records.codeSnapshots.create(trx, actor, {
        language: 'Python',
        source: 'sorted(x)',
        taskId: task.id
      })
      const page = await records.documents.create(trx, actor, {
        title: 'Lists',
        markdown: 'A list holds things.',
        courseId: course.id
      })
      return { actor, course, other, goal, task, code, page }
    })
    .then(async (made) => {
      await embedQueued()
      return made
    })
}

test.serial('creating a record queues one embedding, and further edits before it starts queue none', async (t) => {
  const { records, newActor, embedQueued } = place()
  const actor = await newActor()
  const goal = await records.run((trx) => records.goals.create(trx, actor, { title: 'Zero', status: 'active' }))
  for (let edit = 1; edit <= 100; edit++) await records.goals.update(actor, goal.id, { title: `Edit ${edit}` })
  t.is(await queued(goal.id), 1)
  t.is(await embedQueued(), 1)
  t.is(await queued(goal.id), 0)
  t.is((await rowsOf(goal.id))[0].title, 'Edit 100')
})

test.serial('changing what is not text queues nothing', async (t) => {
  const { records } = place()
  const { actor, goal, task, code, other } = await stage()
  await records.tasks.update(actor, task.id, { status: 'completed', position: 7 })
  await records.goals.update(actor, goal.id, {
    status: 'archived',
    courseId: other.id,
    dueAt: '2030-01-01T00:00:00.000Z'
  })
  await records.codeSnapshots.update(actor, code.id, { taskId: null })
  for (const { id } of [goal, task, code]) t.is(await queued(id), 0)
})

test.serial('a change of text queues one embedding, and going back to the embedded text costs nothing', async (t) => {
  const { records, models, embedQueued } = place()
  const { actor, page } = await stage()
  await records.documents.update(actor, page.id, { markdown: 'A list is ordered.' })
  t.is(await queued(page.id), 1)
  await records.documents.update(actor, page.id, { markdown: 'A list holds things.' })
  const asked = models.asked.length
  await embedQueued()
  t.is(models.asked.length, asked)
})

test.serial('a write that is rolled back leaves neither a job nor other vectors', async (t) => {
  const { records } = place()
  const { actor, goal } = await stage()
  const before = await rowsOf(goal.id)
  await t.throwsAsync(
    records.run(async (trx) => {
      await records.goals.updateIn(trx, actor, goal.id, { title: 'Never' })
      throw new Error('back')
    })
  )
  t.is(await queued(goal.id), 0)
  t.deepEqual(await rowsOf(goal.id), before)
})

test.serial('a goal that moves to another course takes its tasks and code along, at no cost', async (t) => {
  const { records, models } = place()
  const { actor, goal, task, code, other } = await stage()
  const asked = models.asked.length
  await records.goals.update(actor, goal.id, { courseId: other.id })
  for (const { id } of [goal, task, code]) {
    t.like((await rowsOf(id))[0], { course_id: other.id, subject: null, config: 'german' })
  }
  t.is((await rowsOf(code.id))[0].language, 'python')
  t.is(models.asked.length, asked)
})

test.serial('a new title is found by its words at once, also on the code of a task', async (t) => {
  const { records, rag } = place()
  const { actor, task, code } = await stage()
  await records.tasks.update(actor, task.id, { title: 'Quicksilver' })
  for (const { id } of [task, code]) t.is((await rowsOf(id))[0].title, 'Quicksilver')
  const scope = await rag.scopes.for(actor, { scope: 'user' })
  const { hits } = await rag.retriever.find(scope, { words: 'quicksilver', limit: 5 })
  t.deepEqual(hits.map(({ sourceId }) => sourceId).toSorted(), [task.id, code.id].toSorted())
  t.is(await queued(code.id), 0)
})

test.serial('a course that changes its language or subject changes how all of its texts are read', async (t) => {
  const { records } = place()
  const { actor, course, goal, task, code, page } = await stage()
  await records.courses.update(actor, course.id, { language: 'fr', subject: 'Rust' })
  for (const { id } of [goal, task, code, page]) t.like((await rowsOf(id))[0], { subject: 'rust', config: 'french' })
  t.deepEqual([(await rowsOf(page.id))[0].language, (await rowsOf(code.id))[0].language], ['fr', 'python'])
})

test.serial('a document that becomes one of another course leaves the scope of the first at once', async (t) => {
  const { records } = place()
  const { actor, page, other } = await stage()
  await records.documents.update(actor, page.id, { courseId: other.id })
  t.like((await rowsOf(page.id))[0], { course_id: other.id, scope: 'course', config: 'german' })
})

test.serial('deleting a record deletes its vectors in the same transaction, with all that goes with it', async (t) => {
  const { records, context } = place()
  const { actor, goal, task, code, course, page } = await stage()
  await records.goals.remove(actor, goal.id)
  t.deepEqual(await rowsOf(goal.id), [])
  t.deepEqual(await rowsOf(task.id), [])
  t.like((await rowsOf(code.id))[0], { task_id: null, course_id: null, title: 'Python' }, 'code stays without its task')
  await records.courses.remove(actor, course.id)
  t.deepEqual(await rowsOf(page.id), [])
  await context.knex('users').where({ id: actor.id }).delete()
  t.deepEqual(await context.knex('embeddings').where({ owner_id: actor.id }), [])
  t.deepEqual(await context.knex('embedded_sources').whereIn('source_id', [goal.id, task.id, code.id, page.id]), [])
})

test.serial('a goal keeps its vectors when its course is deleted', async (t) => {
  const { records, embedQueued } = place()
  const { actor, course, goal } = await stage()
  await records.courses.remove(actor, course.id)
  await embedQueued()
  t.like((await rowsOf(goal.id))[0], { course_id: null, scope: 'user', subject: null })
})

test.serial('a move and an embedding at the same moment leave the place that the record has', async (t) => {
  const { records, context, embedding } = place()
  const { actor, goal, task, other, course } = await stage()
  for (let round = 0; round < 12; round++) {
    await records.tasks.update(actor, task.id, { description: `Round ${round}` })
    const effect = await embedding({ source: { type: 'task', id: task.id } }, { user: actor })
    await Promise.all([
      context.transaction.transact((trx) => applyEffect(trx, effect)),
      records.goals.update(actor, goal.id, { courseId: round % 2 === 0 ? other.id : course.id })
    ])
    t.is((await rowsOf(task.id))[0].course_id, (await records.goals.find(actor, goal.id)).courseId)
  }
})
