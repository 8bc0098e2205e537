import test from 'ava'
import { AppError } from '../../../lib/errors/app-error.ts'
import { etagOf } from '../../../lib/etag.ts'
import type { GoalCreate } from '../../../lib/schemas/goal.ts'
import type { TaskCreate } from '../../../lib/schemas/task.ts'
import { recordsForFile } from '../../helpers/records.ts'

const place = recordsForFile(test)

const aGoal: GoalCreate = { title: 'Learn to sort', status: 'active' }
const aTask: Omit<TaskCreate, 'goalId'> = { title: 'Bubble sort', status: 'pending' }

async function withGoal(tasks = 0) {
  const { records, newActor } = place()
  const actor = await newActor()
  const goal = await records.run((trx) => records.goals.create(trx, actor, aGoal))
  const made = []
  for (let n = 0; n < tasks; n++) {
    made.push(await records.run((trx) => records.tasks.create(trx, actor, { ...aTask, goalId: goal.id })))
  }
  return { ...place(), actor, goal, tasks: made }
}

const typesOf = async (id: string) => (await place().eventsOf(id)).map(({ type }) => type)

test('a record reads back what was written, and its event tells the same to its channels', async (t) => {
  const { records, actor, eventsOf } = await withGoal()
  const goal = await records.run((trx) =>
    records.goals.create(trx, actor, { ...aGoal, description: 'd', dueAt: '2030-01-02T03:04:05.000Z' })
  )
  t.like(goal, {
    userId: actor.id,
    title: 'Learn to sort',
    description: 'd',
    courseId: null,
    status: 'active',
    progress: 0,
    dueAt: '2030-01-02T03:04:05.000Z'
  })
  t.deepEqual(await records.goals.find(actor, goal.id), goal)
  t.deepEqual(await eventsOf(goal.id), [
    { type: 'goal.created', user_id: actor.id, data: goal, channels: [`user:${actor.id}`, `goal:${goal.id}`] }
  ])
})

test('completing a task moves its goal once, however often it is repeated', async (t) => {
  const { records, actor, goal, tasks } = await withGoal(2)
  const [first] = tasks
  const done = await records.tasks.complete(actor, first?.id as string)
  t.is(done.status, 'completed')
  t.truthy(done.completedAt)
  t.deepEqual(await records.tasks.complete(actor, done.id), done)
  t.deepEqual(await typesOf(done.id), ['task.created', 'task.updated', 'task.completed'])
  t.deepEqual(await typesOf(goal.id), ['goal.created', 'goal.updated'])
  t.is((await records.goals.find(actor, goal.id)).progress, 0.5)

  const reopened = await records.tasks.update(actor, done.id, { status: 'in_progress' })
  t.is(reopened.completedAt, null)
  t.is((await records.goals.find(actor, goal.id)).progress, 0)
  await records.tasks.update(actor, done.id, { status: 'completed' })
  await records.tasks.remove(actor, tasks[1]?.id as string)
  t.like(await records.goals.find(actor, goal.id), { progress: 1, status: 'active' })
  await records.tasks.remove(actor, done.id)
  t.is((await records.goals.find(actor, goal.id)).progress, 0)
})

test('a task that moves to another goal takes its share along', async (t) => {
  const { records, actor, goal, tasks } = await withGoal(2)
  const other = await records.run((trx) => records.goals.create(trx, actor, aGoal))
  const [task] = tasks
  await records.tasks.update(actor, task?.id as string, { goalId: other.id, status: 'completed' })
  t.is((await records.goals.find(actor, goal.id)).progress, 0)
  t.is((await records.goals.find(actor, other.id)).progress, 1)
})

test('tasks come after the last of their goal unless they have a place', async (t) => {
  const { records, actor, goal } = await withGoal(2)
  const create = (position?: number) =>
    records.run((trx) =>
      records.tasks.create(trx, actor, { ...aTask, goalId: goal.id, ...(position === undefined ? {} : { position }) })
    )
  t.is((await create()).position, 2)
  t.is((await create(7)).position, 7)
  t.is((await create()).position, 8)
})

test('progress is right after many people and processes change tasks at once', async (t) => {
  const { records, actor, goal, tasks } = await withGoal(8)
  const other = await records.run((trx) => records.goals.create(trx, actor, aGoal))
  const moves = tasks.flatMap(({ id }, n) => [
    records.tasks.complete(actor, id),
    n % 2 === 0
      ? records.tasks.update(actor, id, { goalId: other.id })
      : records.tasks.update(actor, id, { title: 'x' }),
    records.run((trx) => records.tasks.create(trx, actor, { ...aTask, goalId: n % 2 ? goal.id : other.id }))
  ])
  await Promise.all(moves)
  // In both goals: four completed ones and four new ones.
  t.is((await records.goals.find(actor, goal.id)).progress, 0.5)
  t.is((await records.goals.find(actor, other.id)).progress, 0.5)
})

test('of many changes with the same If-Match one wins and the others are told what holds', async (t) => {
  const { records, actor, goal } = await withGoal()
  const etag = etagOf(goal)
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, (_, n) => records.goals.update(actor, goal.id, { title: `Title ${n}` }, etag))
  )
  const won = results.filter((result) => result.status === 'fulfilled')
  t.is(won.length, 1)
  const now = await records.goals.find(actor, goal.id)
  for (const result of results) {
    if (result.status === 'fulfilled') t.deepEqual(result.value, now)
    else t.like(result.reason as AppError, { status: 412 })
  }
  await records.goals.update(actor, goal.id, { title: 'Last write' })
  t.is((await records.goals.find(actor, goal.id)).title, 'Last write')
  await t.throwsAsync(records.goals.remove(actor, goal.id, etag), { message: /changed/ })
  await records.goals.remove(actor, goal.id, '*')
})

test('a patch that changes nothing tells nobody and leaves the tag as it is', async (t) => {
  const { records, actor, goal, textChanges } = await withGoal()
  const before = textChanges.length
  t.deepEqual(await records.goals.update(actor, goal.id, {}), goal)
  t.deepEqual(await records.goals.update(actor, goal.id, { title: goal.title, description: null }), goal)
  t.deepEqual(await typesOf(goal.id), ['goal.created'])
  t.is(textChanges.filter(({ ids }) => ids.includes(goal.id)).length, 1)
  t.true(textChanges.length >= before)
})

test('texts are told as changed only when they did', async (t) => {
  const { records, actor, goal, tasks, textChanges } = await withGoal(1)
  const changesOf = (id: string) => textChanges.filter(({ ids }) => ids.includes(id)).map(({ kind }) => kind)
  const task = tasks[0]?.id as string
  await records.goals.update(actor, goal.id, { status: 'archived', dueAt: '2031-01-01T00:00:00.000Z' })
  await records.tasks.complete(actor, task)
  t.deepEqual(changesOf(goal.id), ['changed'])
  t.deepEqual(changesOf(task), ['changed'])
  await records.goals.update(actor, goal.id, { description: 'new' })
  await records.tasks.update(actor, task, { title: 'new' })
  t.deepEqual(changesOf(goal.id), ['changed', 'changed'])
  t.deepEqual(changesOf(task), ['changed', 'changed'])
  await records.goals.remove(actor, goal.id)
  t.deepEqual(changesOf(goal.id).at(-1), 'removed')
  t.deepEqual(changesOf(task).at(-1), 'removed')
})

test('deleting a goal deletes its tasks and lets their snapshots stay', async (t) => {
  const { records, actor, goal, tasks, eventsOf } = await withGoal(2)
  const taskId = tasks[0]?.id as string
  const snapshot = await records.run((trx) =>
    records.codeSnapshots.create(trx, actor, { language: 'Python', source: 'print("é")', taskId })
  )
  t.is(snapshot.sizeBytes, 11)
  await records.goals.remove(actor, goal.id)
  t.is((await records.codeSnapshots.find(actor, snapshot.id)).taskId, null)
  t.deepEqual((await eventsOf(taskId)).at(-1), {
    type: 'task.deleted',
    user_id: actor.id,
    data: { id: taskId },
    channels: [`user:${actor.id}`, `task:${taskId}`, `goal:${goal.id}`]
  })
  t.deepEqual(await typesOf(goal.id), ['goal.created', 'goal.deleted'])
  t.deepEqual(await typesOf(snapshot.id), ['code_snapshot.created', 'code_snapshot.updated'])
  t.deepEqual((await records.tasks.list(actor, { limit: 10 })).data, [])
})

test('deleting a course deletes its documents and enrolments, and goals forget it', async (t) => {
  const { records, actor, newActor, eventsOf } = await withGoal()
  const learner = await newActor()
  const course = await records.run((trx) =>
    records.courses.create(trx, actor, { title: 'Course', language: 'en', visibility: 'private' })
  )
  await records.enrollments.create(actor, course.id, { userId: learner.id })
  const document = await records.run((trx) =>
    records.documents.create(trx, actor, { title: 'Doc', markdown: '# m', courseId: course.id })
  )
  const goal = await records.run((trx) => records.goals.create(trx, learner, { ...aGoal, courseId: course.id }))
  await records.courses.remove(actor, course.id)
  t.is((await records.goals.find(learner, goal.id)).courseId, null)
  t.deepEqual(await typesOf(goal.id), ['goal.created', 'goal.updated'])
  t.deepEqual((await eventsOf(document.id)).at(-1), {
    type: 'document.deleted',
    user_id: actor.id,
    data: { id: document.id },
    channels: [`user:${actor.id}`, `course:${course.id}`]
  })
  await t.throwsAsync(records.documents.find(actor, document.id), { message: /not found/ })
  t.is((await place().context.knex('enrollments').where({ course_id: course.id })).length, 0)
})

test('courses, goals and documents that are changed and deleted at once never end in an error of the server', async (t) => {
  const { records, actor, newActor } = await withGoal()
  const learner = await newActor()
  const expected = (error: unknown) => {
    if (!(error instanceof AppError)) throw error
    return error.status
  }
  for (let round = 0; round < 5; round++) {
    const course = await records.run((trx) =>
      records.courses.create(trx, actor, { title: 'Course', language: 'en', visibility: 'public' })
    )
    const goals = await records.run((trx) =>
      records.goals.createMany(
        trx,
        learner,
        Array.from({ length: 5 }, () => aGoal)
      )
    )
    const writes = goals.flatMap((goal) =>
      goal instanceof AppError ? [] : [records.goals.update(learner, goal.id, { courseId: course.id })]
    )
    const results = await Promise.all(
      [
        ...writes,
        records.run((trx) => records.documents.create(trx, actor, { title: 'd', markdown: 'm', courseId: course.id })),
        records.courses.remove(actor, course.id),
        records.run((trx) => records.goals.create(trx, learner, { ...aGoal, courseId: course.id }))
      ].map((work) => (work as Promise<unknown>).then(() => 200, expected))
    )
    for (const status of results) t.true([200, 404, 409, 422].includes(status), String(status))
    const left = await records.goals.list(learner, { limit: 100, courseId: course.id })
    t.deepEqual(left.data, [], 'no goal names a course that is gone')
  }
})

test('news of long texts leave them out and say so', async (t) => {
  const { records, actor, eventsOf } = await withGoal()
  const source = 'x'.repeat(200_000)
  const { id } = await records.run((trx) => records.codeSnapshots.create(trx, actor, { language: 'c', source }))
  const [event] = await eventsOf(id)
  t.like(event?.data, { id, language: 'c', sizeBytes: 200_000, omitted: ['source'] })
  t.false(Object.hasOwn((event?.data ?? {}) as object, 'source'))
})

test('an event that cannot be written takes the record with it', async (t) => {
  const { records, actor, context } = await withGoal()
  const count = async () => (await records.goals.list(actor, { limit: 100 })).data.length
  const before = await count()
  await t.throwsAsync(
    records.run(async (trx) => {
      await records.goals.create(trx, actor, aGoal)
      await context.events.append(trx, { type: 'x', userId: context.isolation.schema, subject: null, data: {} })
    })
  )
  t.is(await count(), before)
})

test('when a person goes, others whose goals named their courses hear of it', async (t) => {
  const { records, newActor } = place()
  const [owner, learner] = [await newActor(), await newActor()]
  const course = await records.run((trx) =>
    records.courses.create(trx, owner, { title: 'Course', language: 'en', visibility: 'public' })
  )
  const goal = await records.run((trx) => records.goals.create(trx, learner, { ...aGoal, courseId: course.id }))
  await records.run((trx) => records.courses.removeAllOf(trx, owner.id))
  t.is((await records.goals.find(learner, goal.id)).courseId, null)
  t.deepEqual(await typesOf(goal.id), ['goal.created', 'goal.updated'])
})
