import test from 'ava'
import type { Actor } from '../../../lib/access/actor.ts'
import { AppError } from '../../../lib/errors/app-error.ts'
import type { Page } from '../../../lib/schemas/page.ts'
import { recordsForFile } from '../../helpers/records.ts'

const place = recordsForFile(test)

type Role = 'owner' | 'enrolled' | 'stranger' | 'admin'
const roles: Role[] = ['owner', 'enrolled', 'stranger', 'admin']

/** A world of one owner: a course with a document, a goal that names it, a task, a snapshot; and people around it. */
async function world(visibility: 'private' | 'enrolled' | 'public') {
  const { records, newActor } = place()
  const actors: Record<Role, Actor> = {
    owner: await newActor(),
    enrolled: await newActor(),
    stranger: await newActor(),
    admin: await newActor('admin')
  }
  const { owner } = actors
  const made = await records.run(async (trx) => {
    const course = await records.courses.create(trx, owner, { title: 'Course', language: 'en', visibility })
    const goal = await records.goals.create(trx, owner, { title: 'Goal', status: 'active', courseId: course.id })
    const task = await records.tasks.create(trx, owner, { goalId: goal.id, title: 'Task', status: 'pending' })
    const snapshot = await records.codeSnapshots.create(trx, owner, { language: 'c', source: 'x', taskId: task.id })
    const document = await records.documents.create(trx, owner, { title: 'Doc', markdown: '# x', courseId: course.id })
    const global = await records.documents.create(trx, actors.admin, { title: 'Global', markdown: '# y' })
    return { course, goal, task, snapshot, document, global }
  })
  await records.enrollments.create(owner, made.course.id, { userId: actors.enrolled.id })
  return { ...made, actors, records }
}

type Service = {
  find(actor: Actor, id: string): Promise<{ id: string }>
  list(actor: Actor, query: { limit: number }): Promise<Page<{ id: string }>>
  update(actor: Actor, id: string, patch: object): Promise<unknown>
  remove(actor: Actor, id: string): Promise<void>
}

async function statusOf(work: Promise<unknown>): Promise<number> {
  try {
    await work
    return 200
  } catch (error) {
    if (error instanceof AppError) return error.status
    throw error
  }
}

const always = { owner: 200, enrolled: 200, stranger: 200, admin: 200 }
const own = { owner: 200, enrolled: 404, stranger: 404, admin: 200 }
const shared = { owner: 200, enrolled: 200, stranger: 404, admin: 200 }
const writtenWhenShared = { owner: 200, enrolled: 403, stranger: 404, admin: 200 }
const writtenWhenPublic = { owner: 200, enrolled: 403, stranger: 403, admin: 200 }
const byAdmin = { owner: 403, enrolled: 403, stranger: 403, admin: 200 }

const rules = {
  private: {
    course: [shared, writtenWhenShared],
    document: [shared, writtenWhenShared],
    goal: [own, own],
    task: [own, own],
    snapshot: [own, own],
    global: [always, byAdmin]
  },
  enrolled: {
    course: [shared, writtenWhenShared],
    document: [shared, writtenWhenShared],
    goal: [own, own],
    task: [own, own],
    snapshot: [own, own],
    global: [always, byAdmin]
  },
  public: {
    course: [always, writtenWhenPublic],
    document: [always, writtenWhenPublic],
    goal: [own, own],
    task: [own, own],
    snapshot: [own, own],
    global: [always, byAdmin]
  }
} as const

for (const [visibility, byType] of Object.entries(rules) as [keyof typeof rules, (typeof rules)['public']][]) {
  test(`with a ${visibility} course everybody reads and writes what is theirs to read and write`, async (t) => {
    const { actors, records, ...made } = await world(visibility)
    const services = {
      course: records.courses,
      document: records.documents,
      goal: records.goals,
      task: records.tasks,
      snapshot: records.codeSnapshots,
      global: records.documents
    } as unknown as Record<keyof typeof byType, Service>
    for (const type of ['snapshot', 'task', 'goal', 'document', 'global', 'course'] as const) {
      const { id } = made[type]
      const [reads, writes] = byType[type]
      const patch = type === 'snapshot' ? { note: 'n' } : { title: 'Other' }
      for (const role of roles) {
        const actor = actors[role]
        const about = `${role} ${type}`
        t.is(await statusOf(services[type].find(actor, id)), reads[role], `find: ${about}`)
        const { data } = await services[type].list(actor, { limit: 100 })
        t.is(
          data.some((record) => record.id === id),
          reads[role] === 200,
          `list: ${about}`
        )
        const kind = { course: 'course', goal: 'goal', task: 'task', snapshot: 'code_snapshot' } as const
        const accessType = type === 'document' || type === 'global' ? 'document' : kind[type]
        t.is(await records.access.canSee(actor, { type: accessType, id }), reads[role] === 200, `canSee: ${about}`)
        t.is(await statusOf(services[type].update(actor, id, patch)), writes[role], `update: ${about}`)
      }
      for (const role of ['stranger', 'enrolled', type === 'global' ? 'admin' : 'owner'] as const) {
        const status = role === 'owner' || role === 'admin' ? 200 : writes[role]
        t.is(await statusOf(services[type].remove(actors[role], id)), status, `remove: ${role} ${type}`)
      }
      t.is(await statusOf(services[type].find(actors.admin, id)), 404, `gone: ${type}`)
    }
  })
}

test('what is no id is not found, for every type', async (t) => {
  const { records, newActor } = place()
  const actor = await newActor('admin')
  for (const service of [
    records.courses,
    records.goals,
    records.tasks,
    records.codeSnapshots,
    records.documents
  ] as unknown as Service[]) {
    for (const id of ['x', "'; drop table goals", '0198aaaa-0000-7000-8000-000000000000', '']) {
      t.is(await statusOf(service.find(actor, id)), 404)
      t.is(await statusOf(service.update(actor, id, {})), 404)
      t.is(await statusOf(service.remove(actor, id)), 404)
    }
  }
  t.is(await statusOf(records.events.find(actor, 'x')), 404)
  t.is(await statusOf(records.enrollments.list(actor, 'x', { limit: 5 })), 404)
})

test('references that cannot be seen are refused, naming the field', async (t) => {
  const { actors, records, course, goal, task } = await world('private')
  const { stranger, enrolled } = actors
  const refused = async (field: string, work: Promise<unknown>) => {
    const error = await t.throwsAsync(work, { instanceOf: AppError })
    t.is(error?.status, 422)
    t.is((error as AppError).extras.errors?.[0]?.path, field)
  }
  await refused(
    'courseId',
    records.run((trx) => records.goals.create(trx, stranger, { title: 'g', status: 'active', courseId: course.id }))
  )
  await refused(
    'goalId',
    records.run((trx) => records.tasks.create(trx, enrolled, { title: 't', status: 'pending', goalId: goal.id }))
  )
  await refused(
    'taskId',
    records.run((trx) => records.codeSnapshots.create(trx, enrolled, { language: 'c', source: 's', taskId: task.id }))
  )
  await refused(
    'courseId',
    records.run((trx) => records.documents.create(trx, stranger, { title: 'd', markdown: 'm', courseId: course.id }))
  )
  const mine = await records.run((trx) =>
    records.goals.create(trx, enrolled, { title: 'g', status: 'active', courseId: course.id })
  )
  t.is(mine.courseId, course.id, 'an enrolled person may name the course')
  const ownTask = await records.run((trx) =>
    records.tasks.create(trx, enrolled, { title: 't', status: 'pending', goalId: mine.id })
  )
  await refused('goalId', records.tasks.update(enrolled, ownTask.id, { goalId: goal.id }))
  await refused('goalId', records.tasks.update(actors.admin, ownTask.id, { goalId: goal.id }))
  const other = await records.run((trx) => records.goals.create(trx, stranger, { title: 'g', status: 'active' }))
  await refused('courseId', records.goals.update(stranger, other.id, { courseId: course.id }))
  await refused('courseId', records.goals.update(actors.admin, other.id, { courseId: course.id }))
})

test('people may write documents only where they write the course', async (t) => {
  const { actors, records, course, document } = await world('public')
  const create = (actor: Actor, courseId?: string) =>
    records.run((trx) =>
      records.documents.create(trx, actor, { title: 'd', markdown: 'm', ...(courseId ? { courseId } : {}) })
    )
  t.is(await statusOf(create(actors.stranger, course.id)), 403)
  t.is(await statusOf(create(actors.owner)), 403)
  const byAdmin = await create(actors.admin, course.id)
  t.is(byAdmin.ownerId, actors.owner.id, 'whoever writes it, it belongs to the owner of the course')
  t.is((await create(actors.admin)).ownerId, actors.admin.id)
  t.is(await statusOf(records.documents.update(actors.owner, document.id, { courseId: null })), 403)
  const moved = await records.documents.update(actors.admin, document.id, { courseId: null })
  t.like(moved, { courseId: null, ownerId: actors.admin.id })
})

test('sockets may listen to what their user sees, and to nothing that is no channel', async (t) => {
  const { actors, records, course, goal, task } = await world('enrolled')
  const can = (actor: Actor, channel: string) => records.access.canSubscribe(actor, channel)
  for (const role of roles) t.true(await can(actors[role], 'user:me'))
  const sees = async (channel: string) =>
    Object.fromEntries(await Promise.all(roles.map(async (role) => [role, await can(actors[role], channel)])))
  const seesOwn = { owner: true, enrolled: false, stranger: false, admin: true }
  t.deepEqual(await sees(`goal:${goal.id}`), seesOwn)
  t.deepEqual(await sees(`task:${task.id}`), seesOwn)
  t.deepEqual(await sees(`course:${course.id}`), { ...seesOwn, enrolled: true })
  for (const channel of [
    '',
    'goal:',
    'goal:x',
    `goal:${task.id}`,
    `user:${actors.owner.id}`,
    `goal:${goal.id}:x`,
    'job:1'
  ]) {
    t.false(await can(actors.owner, channel), channel)
  }
})

test('the owner enrols and sees everybody, the enrolled see themselves and may leave', async (t) => {
  const { actors, records, course } = await world('public')
  const { owner, enrolled, stranger, admin } = actors
  const people = async (actor: Actor) =>
    (await records.enrollments.list(actor, course.id, { limit: 10 })).data.map(({ userId }) => userId)
  t.is(await statusOf(records.enrollments.create(owner, course.id, { userId: enrolled.id })), 409)
  t.is(await statusOf(records.enrollments.create(owner, course.id, { userId: course.id })), 422)
  t.is(await statusOf(records.enrollments.create(stranger, course.id, { userId: stranger.id })), 403)
  t.like(await records.enrollments.create(admin, course.id, { userId: stranger.id }), { userId: stranger.id })
  t.deepEqual(await people(owner), [stranger.id, enrolled.id])
  t.deepEqual(await people(enrolled), [enrolled.id])
  const page = await records.enrollments.list(owner, course.id, { limit: 1 })
  t.is(page.data.length, 1)
  t.truthy(page.nextCursor)
  t.is(await statusOf(records.enrollments.remove(enrolled, course.id, stranger.id)), 403)
  t.is(await statusOf(records.enrollments.find(enrolled, course.id, stranger.id)), 404)
  t.is(await statusOf(records.enrollments.remove(enrolled, course.id, enrolled.id)), 200)
  t.is(await statusOf(records.enrollments.remove(owner, course.id, enrolled.id)), 404)
  t.is(await statusOf(records.enrollments.remove(owner, course.id, stranger.id)), 200)
  t.deepEqual(await people(owner), [])
})
