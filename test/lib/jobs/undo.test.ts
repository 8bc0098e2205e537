import anyTest, { type TestFn } from 'ava'
import type { Actor } from '../../../lib/access/actor.ts'
import type { AppError } from '../../../lib/errors/app-error.ts'
import { newId } from '../../../lib/ids.ts'
import type { ChatChange } from '../../../lib/schemas/chat.ts'
import { type ChatStage, chatForFile, createLesson, planned } from '../../helpers/chat.ts'
import { newUser } from '../../helpers/context.ts'

const test = anyTest as TestFn<{ stage: ChatStage }>
const { context, stage: newStage } = chatForFile(test as unknown as TestFn)

test.beforeEach(async (t) => {
  t.context.stage = await newStage()
})

const actor = (id: string, role: 'user' | 'admin' = 'user'): Actor => ({
  id,
  role,
  credential: { kind: 'api_key', id: newId() }
})
const undo = (stage: ChatStage, jobId: string) => context().undoJob(actor(stage.userId), jobId)

for (const [language, message, title] of [
  ['English', 'Create a goal to learn recursion with three tasks from this page', 'Learn recursion'],
  ['Spanish', 'Crea un objetivo para aprender recursión con tres tareas de esta página', 'Aprender recursión']
] as const) {
  test(`${language}: a goal with tasks from a page is made as asked, and taken back`, async (t) => {
    const { stage } = t.context
    const { course } = await createLesson(stage)
    await stage.embedAll()
    const before = await recordsOf(stage)
    const { job, result } = await stage.ask({ message, courseId: course.id, allowWrites: true })
    t.is(result.agent, 'planner')
    t.deepEqual(
      result.changes.map(({ type, action }) => `${type} ${action}`),
      ['goal created', 'task created', 'task created', 'task created']
    )
    const goal = await stage.records.goals.find(stage.person, result.changes[0]?.id as string)
    t.like(goal, { title, courseId: course.id })
    const tasks = await stage.records.tasks.list(stage.person, { goalId: goal.id, limit: 10 })
    t.deepEqual(
      tasks.data.map(({ id }) => id).toSorted(),
      result.changes
        .slice(1)
        .map(({ id }) => id)
        .toSorted()
    )
    t.true(tasks.data.some((task) => /Recursion/.test(task.title)))

    const undone = await undo(stage, job.id)
    t.deepEqual(undone, { undone: result.changes.map(({ type, id }) => ({ type, id })), kept: [] })
    t.deepEqual(await recordsOf(stage), before)
    t.deepEqual(await undo(stage, job.id), undone)
  })
}

/** Goals and tasks of a person, without what moves by itself. */
async function recordsOf({ userId }: ChatStage) {
  const { knex } = context()
  const rows = [
    await knex('goals').where({ user_id: userId }).orderBy('id'),
    await knex('tasks').where({ user_id: userId }).orderBy('id')
  ]
  return rows.flat().map(({ updated_at: _moves, ...row }) => row)
}

async function changed(stage: ChatStage, goalId: string, plan: Parameters<ChatStage['plan']>[0]) {
  stage.plan(plan)
  stage.answer({ content: 'Done.' })
  // A change is made to records alone that the message names.
  const message = ['As planned', ...(plan.changes ?? []).map(({ record }) => record ?? '')].join(' ')
  return await stage.ask({ message, agent: 'planner', goalId, allowWrites: true })
}

test('changed records are what they were before, with progress, events and the time of completion', async (t) => {
  const { stage } = t.context
  const { goal, task } = await createLesson(stage)
  const second = await stage.records.run((trx) =>
    stage.records.tasks.create(trx, stage.person, { goalId: goal.id, title: 'Done before', status: 'completed' })
  )
  const before = await recordsOf(stage)
  const { job, result } = await changed(stage, goal.id, {
    changes: [
      planned.change({ type: 'goal', title: 'Renamed', description: 'New', due: '2030-01-02' }),
      planned.change({ type: 'task', record: task.id, status: 'completed', title: 'Both' }),
      planned.change({ type: 'task', record: second.id, status: 'pending' })
    ]
  })
  t.deepEqual(
    result.changes.map(({ title, action }) => [title, action]),
    [
      ['Renamed', 'updated'],
      ['Both', 'completed'],
      ['Done before', 'updated']
    ]
  )
  t.is((await undo(stage, job.id)).undone.length, 3)
  t.deepEqual(await recordsOf(stage), before)
  const told = await context()
    .knex('events')
    .where({ user_id: stage.userId, type: 'goal.updated', subject: goal.id })
    .orderBy('id')
  t.like(told.at(-1)?.data, { title: 'Understand functions' })
  const waiting = await context()
    .knex('jobs')
    .where({ user_id: stage.userId, action: 'embedding_generation', source_id: goal.id })
  t.true(waiting.length > 0, 'the embedding follows')
})

test('what somebody changed since stays, and the rest is taken back', async (t) => {
  const { stage } = t.context
  const { goal, task } = await createLesson(stage)
  const { records, person } = stage
  const { job, result } = await changed(stage, goal.id, {
    creations: [planned.creation({ type: 'task', titles: ['Kept', 'Deleted', 'With code', 'Undone'] })],
    changes: [
      planned.change({ type: 'goal', title: 'Renamed' }),
      planned.change({ type: 'task', record: task.id, status: 'completed' })
    ]
  })
  const ids = Object.fromEntries(result.changes.map(({ title, id }) => [title, id])) as Record<string, string>
  await records.tasks.update(person, ids.Kept as string, { description: 'mine now' })
  await records.tasks.remove(person, ids.Deleted as string)
  await records.run((trx) =>
    records.codeSnapshots.create(trx, person, { language: 'js', source: 'let a', taskId: ids['With code'] as string })
  )
  await records.goals.update(person, goal.id, { description: 'mine now' })
  const undone = await undo(stage, job.id)
  t.deepEqual(undone, {
    undone: [
      { type: 'task', id: ids.Undone },
      { type: 'task', id: task.id }
    ],
    kept: [
      { type: 'task', id: ids.Kept, reason: 'it was changed since' },
      { type: 'task', id: ids.Deleted, reason: 'it was deleted since' },
      { type: 'task', id: ids['With code'], reason: 'code was added to it since' },
      { type: 'goal', id: goal.id, reason: 'it was changed since' }
    ]
  })
  t.is((await records.goals.find(person, goal.id)).title, 'Renamed')
  await records.tasks.update(person, ids.Kept as string, { description: null })
  t.deepEqual(await undo(stage, job.id), undone, 'repeated, it answers the same')
})

test('a created goal that has tasks of its own now is kept, and so is what moved into a goal that is gone', async (t) => {
  const { stage } = t.context
  const { goal, task } = await createLesson(stage)
  const { records, person } = stage
  const { job, result } = await changed(stage, goal.id, {
    creations: [
      planned.creation({ type: 'goal', titles: ['New'] }),
      planned.creation({ type: 'task', titles: ['Its own'] })
    ],
    changes: [planned.change({ type: 'task', record: task.id, goal: 'New' })]
  })
  const [made, own] = result.changes as [ChatChange, ChatChange]
  t.is((await records.tasks.find(person, task.id)).goalId, made.id)
  await records.run((trx) =>
    records.tasks.create(trx, person, { goalId: made.id, title: 'Added by hand', status: 'pending' })
  )
  await records.goals.remove(person, goal.id)
  t.deepEqual(await undo(stage, job.id), {
    undone: [{ type: 'task', id: own.id }],
    kept: [
      { type: 'goal', id: made.id, reason: 'it has tasks that were added or changed since' },
      { type: 'task', id: task.id, reason: 'what it belonged to is gone' }
    ]
  })
})

test('progress that moves by itself does not keep a goal from being restored', async (t) => {
  const { stage } = t.context
  const { goal, task } = await createLesson(stage)
  const { job } = await changed(stage, goal.id, { changes: [planned.change({ type: 'goal', title: 'Renamed' })] })
  await stage.records.tasks.complete(stage.person, task.id)
  t.deepEqual((await undo(stage, job.id)).kept, [])
  t.like(await stage.records.goals.find(stage.person, goal.id), { title: 'Understand functions', progress: 1 })
})

test('ten at once take back once', async (t) => {
  const { stage } = t.context
  const { goal } = await createLesson(stage)
  const { job } = await changed(stage, goal.id, {
    creations: [planned.creation({ type: 'task', titles: ['a', 'b', 'c'] })],
    changes: [planned.change({ type: 'goal', title: 'Renamed' })]
  })
  const answers = await Promise.all(Array.from({ length: 10 }, () => undo(stage, job.id)))
  for (const answer of answers) t.deepEqual(answer, answers[0])
  t.is(answers[0]?.undone.length, 4)
  const deleted = await context().knex('events').where({ user_id: stage.userId, type: 'task.deleted' })
  t.is(deleted.length, 3)
})

test('only the owner undoes, only chats, and only when they have ended', async (t) => {
  const { stage } = t.context
  const { goal } = await createLesson(stage)
  const { job } = await changed(stage, goal.id, { changes: [planned.change({ type: 'goal', title: 'Renamed' })] })
  const open = await stage.submitChat({ message: 'Hello' })
  const other = await stage.submit(stage.userId, 'rag_search', { tool: 'search_knowledge_base', query: 'x' })
  const codeOf = async (asking: Actor, id: string) =>
    ((await t.throwsAsync(context().undoJob(asking, id))) as AppError).status
  t.is(await codeOf(actor(await newUser(context())), job.id), 404)
  t.is(await codeOf(actor(await newUser(context()), 'admin'), job.id), 404)
  t.is(await codeOf(actor(stage.userId), newId()), 404)
  t.is(await codeOf(actor(stage.userId), 'nonsense'), 404)
  t.is(await codeOf(actor(stage.userId), open), 409)
  t.is(await codeOf(actor(stage.userId), other), 409)
  t.is((await stage.records.goals.find(stage.person, goal.id)).title, 'Renamed')
  const nothing = await stage.ask({ message: 'What is a closure?' })
  t.deepEqual(await undo(stage, nothing.job.id), { undone: [], kept: [] })
})
