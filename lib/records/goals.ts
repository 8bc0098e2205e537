import type { Knex } from 'knex'
import { invalidField, notFound } from '../errors/app-error.ts'
import { requireMatch } from '../etag.ts'
import { newId } from '../ids.ts'
import type { GoalCreate, GoalPatch, GoalQuery, GoalView } from '../schemas/goal.ts'
import type { Page } from '../schemas/page.ts'
import type { CodeSnapshotStore } from '../store/records/code-snapshots.ts'
import type { CourseStore } from '../store/records/courses.ts'
import type { GoalStore } from '../store/records/goals.ts'
import type { Viewer } from '../store/records/record-store.ts'
import type { TaskStore } from '../store/records/tasks.ts'
import { snapshotEvent, taskEvent, goalEvent as news } from './record-events.ts'
import { createRecordReader } from './record-reader.ts'
import { type Person, viewerOf } from './viewer.ts'
import { differences, type Given, insertAllowed, type Outcome, single, type Writing } from './record-writer.ts'

export type Goals = ReturnType<typeof createGoals>

export function createGoals({
  goals,
  courses,
  tasks,
  codeSnapshots,
  writing
}: {
  goals: GoalStore
  courses: CourseStore
  tasks: TaskStore
  codeSnapshots: CodeSnapshotStore
  writing: Writing
}) {
  const reading = createRecordReader(goals, 'the goal')
  const unseenCourse = () => invalidField('courseId', 'is not a course that can be seen')

  /** A goal's course is one that the goal's own user sees, whoever writes it. */
  const ownerViewer = (actor: Person, goal: GoalView): Viewer =>
    goal.userId === actor.id ? viewerOf(actor) : { userId: goal.userId, seesAll: false }

  const service = {
    find: (actor: Person, id: string): Promise<GoalView> => reading.find(actor, id),

    async list(actor: Person, { limit, cursor, ...filters }: GoalQuery): Promise<Page<GoalView>> {
      return await reading.page(actor, { limit, cursor, filters })
    },

    /** Creates goals in one statement; those that name a course the actor cannot see are refused, the others created. */
    async createMany(trx: Knex.Transaction, actor: Person, inputs: Given<GoalCreate>[]): Promise<Outcome<GoalView>[]> {
      const wanted = inputs.flatMap(({ courseId }) => courseId ?? [])
      const seen = await courses.lock(trx, wanted, viewerOf(actor), 'key share')
      const rows = inputs.map((input) =>
        input.courseId && !seen.has(input.courseId)
          ? unseenCourse()
          : { ...input, id: input.id ?? newId(), userId: actor.id }
      )
      const { created, outcomes } = await insertAllowed(rows, (allowed) => goals.insert(trx, allowed))
      await writing.tell(trx, ...created.map((goal) => news('created', goal)))
      await writing.textsCreated(trx, 'goal', created)
      return outcomes
    },

    /** @throws AppError 422 naming `courseId` */
    async create(trx: Knex.Transaction, actor: Person, input: Given<GoalCreate>): Promise<GoalView> {
      return single(await service.createMany(trx, actor, [input]))
    },

    /** Creates all of them. @throws AppError when one is refused */
    async createAll(trx: Knex.Transaction, actor: Person, inputs: Given<GoalCreate>[]): Promise<GoalView[]> {
      return (await service.createMany(trx, actor, inputs)).map((outcome) => single([outcome]))
    },

    /** @throws AppError 404; 412 when `ifMatch` names another state; 422 naming `courseId` */
    async updateIn(
      trx: Knex.Transaction,
      actor: Person,
      id: string,
      patch: GoalPatch,
      ifMatch?: string
    ): Promise<GoalView> {
      return (await service.changeIn(trx, actor, id, patch, ifMatch)).after
    },

    /** The same, telling also what it was before. */
    async changeIn(
      trx: Knex.Transaction,
      actor: Person,
      id: string,
      patch: GoalPatch,
      ifMatch?: string
    ): Promise<{ before: GoalView; after: GoalView }> {
      const seen = await reading.find(actor, id, trx)
      // Courses are locked before goals, so that a course being deleted and a goal taking it up do not wait in a ring.
      const courseSeen = patch.courseId
        ? (await courses.lock(trx, [patch.courseId], ownerViewer(actor, seen), 'key share')).has(patch.courseId)
        : true
      const goal = (await goals.lock(trx, [seen.id], viewerOf(actor))).get(seen.id)
      if (!goal) throw notFound('the goal')
      requireMatch(ifMatch, goal)
      const changes = differences(goal, patch)
      if (Object.keys(changes).length === 0) return { before: goal, after: goal }
      if (changes.courseId && !courseSeen) throw unseenCourse()
      const updated = (await goals.update(trx, goal.id, changes)) as GoalView
      await writing.tell(trx, news('updated', updated))
      if ('title' in changes || 'description' in changes) {
        await writing.texts.changed(trx, { type: 'goal', id: goal.id, ownerId: goal.userId })
      }
      return { before: goal, after: updated }
    },

    async update(actor: Person, id: string, patch: GoalPatch, ifMatch?: string): Promise<GoalView> {
      return await writing.run((trx) => service.updateIn(trx, actor, id, patch, ifMatch))
    },

    /** Deletes a goal and its tasks; code snapshots of these stay, without their task. @throws AppError 404, 412 */
    async removeIn(trx: Knex.Transaction, actor: Person, id: string, ifMatch?: string): Promise<void> {
      const seen = await reading.find(actor, id, trx)
      const goal = (await goals.lock(trx, [seen.id], viewerOf(actor))).get(seen.id)
      if (!goal) throw notFound('the goal')
      requireMatch(ifMatch, goal)
      const gone = await tasks.lockOfGoal(trx, goal.id)
      const ids = gone.map((task) => task.id)
      const left = await codeSnapshots.leaveTasks(trx, ids)
      await writing.tell(
        trx,
        ...left.map((snapshot) => snapshotEvent('updated', snapshot)),
        ...gone.map((task) => taskEvent('deleted', task)),
        news('deleted', goal)
      )
      await writing.texts.removed(trx, 'task', ids)
      await tasks.remove(trx, ids)
      await writing.texts.removed(trx, 'goal', [goal.id])
      await goals.remove(trx, [goal.id])
    },

    async remove(actor: Person, id: string, ifMatch?: string): Promise<void> {
      await writing.run((trx) => service.removeIn(trx, actor, id, ifMatch))
    }
  }
  return service
}
