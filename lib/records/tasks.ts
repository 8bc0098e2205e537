import type { Knex } from 'knex'
import { invalidField, notFound } from '../errors/app-error.ts'
import { requireMatch } from '../etag.ts'
import { newId } from '../ids.ts'
import type { Page } from '../schemas/page.ts'
import type { TaskCreate, TaskPatch, TaskQuery, TaskView } from '../schemas/task.ts'
import type { CodeSnapshotStore } from '../store/records/code-snapshots.ts'
import type { GoalStore } from '../store/records/goals.ts'
import type { TaskStore } from '../store/records/tasks.ts'
import { goalEvent, taskEvent as news, snapshotEvent } from './record-events.ts'
import { createRecordReader } from './record-reader.ts'
import { type Person, viewerOf } from './viewer.ts'
import {
  differences,
  type Given,
  insertAllowed,
  MovedError,
  type Outcome,
  single,
  type Writing
} from './record-writer.ts'

export type Tasks = ReturnType<typeof createTasks>

/**
 * Tasks, and the progress of the goals they belong to. Every write locks the goals first and then the tasks, so that
 * the share of completed tasks is counted while nobody else changes them.
 */
export function createTasks({
  tasks,
  goals,
  codeSnapshots,
  writing
}: {
  tasks: TaskStore
  goals: GoalStore
  codeSnapshots: CodeSnapshotStore
  writing: Writing
}) {
  const reading = createRecordReader(tasks, 'the task')
  const unseenGoal = () => invalidField('goalId', 'is not a goal of the same person')

  async function moveProgress(trx: Knex.Transaction, goalIds: Iterable<string>): Promise<void> {
    const moved = await goals.countProgress(trx, [...new Set(goalIds)])
    await writing.tell(trx, ...moved.map((goal) => goalEvent('updated', goal)))
  }

  /** The task with its goal locked, and another goal that it is to belong to. */
  async function lock(trx: Knex.Transaction, actor: Person, id: string, otherGoalId?: string) {
    const seen = await reading.find(actor, id, trx)
    const locked = await goals.lock(trx, [seen.goalId, ...(otherGoalId ? [otherGoalId] : [])], viewerOf(actor))
    const task = (await tasks.lock(trx, [seen.id], viewerOf(actor))).get(seen.id)
    if (!task) throw notFound('the task')
    if (!locked.has(task.goalId)) throw new MovedError('the task was moved to another goal')
    return { task, goals: locked }
  }

  const completion = (status: TaskView['status'] | undefined, before?: TaskView): { completedAt?: string | null } => {
    if (status === undefined || status === before?.status) return {}
    return { completedAt: status === 'completed' ? new Date().toISOString() : null }
  }

  const service = {
    find: (actor: Person, id: string): Promise<TaskView> => reading.find(actor, id),

    async list(actor: Person, { limit, cursor, ...filters }: TaskQuery): Promise<Page<TaskView>> {
      return await reading.page(actor, { limit, cursor, filters })
    },

    /** Creates tasks in one statement, each after the last of its goal unless it has a position. */
    async createMany(trx: Knex.Transaction, actor: Person, inputs: Given<TaskCreate>[]): Promise<Outcome<TaskView>[]> {
      const seen = await goals.lock(
        trx,
        inputs.map(({ goalId }) => goalId),
        viewerOf(actor)
      )
      const next = await tasks.nextPositions(trx, [...seen.keys()])
      const rows = inputs.map((input) => {
        const goal = seen.get(input.goalId)
        if (!goal) return unseenGoal()
        const position = input.position ?? next.get(goal.id) ?? 0
        next.set(goal.id, Math.max(position + 1, next.get(goal.id) ?? 0))
        return { ...input, position, id: input.id ?? newId(), userId: goal.userId, ...completion(input.status) }
      })
      const { created, outcomes } = await insertAllowed(rows, (allowed) => tasks.insert(trx, allowed))
      await writing.tell(
        trx,
        ...created.flatMap((task) => [
          news('created', task),
          ...(task.status === 'completed' ? [news('completed', task)] : [])
        ])
      )
      await writing.textsCreated(trx, 'task', created)
      await moveProgress(
        trx,
        created.map(({ goalId }) => goalId)
      )
      return outcomes
    },

    /** @throws AppError 422 naming `goalId` */
    async create(trx: Knex.Transaction, actor: Person, input: Given<TaskCreate>): Promise<TaskView> {
      return single(await service.createMany(trx, actor, [input]))
    },

    /** Creates all of them. @throws AppError when one is refused */
    async createAll(trx: Knex.Transaction, actor: Person, inputs: Given<TaskCreate>[]): Promise<TaskView[]> {
      return (await service.createMany(trx, actor, inputs)).map((outcome) => single([outcome]))
    },

    /** @throws AppError 404; 412 when `ifMatch` names another state; 422 naming `goalId` */
    async updateIn(
      trx: Knex.Transaction,
      actor: Person,
      id: string,
      patch: TaskPatch,
      ifMatch?: string
    ): Promise<TaskView> {
      return (await service.changeIn(trx, actor, id, patch, ifMatch)).after
    },

    /**
     * The same, telling also what it was before. When it was completed follows from the status, unless it is given: to
     * restore what had been.
     */
    async changeIn(
      trx: Knex.Transaction,
      actor: Person,
      id: string,
      patch: TaskPatch & Pick<Partial<TaskView>, 'completedAt'>,
      ifMatch?: string
    ): Promise<{ before: TaskView; after: TaskView }> {
      const { task, goals: locked } = await lock(trx, actor, id, patch.goalId)
      requireMatch(ifMatch, task)
      const changes = differences(task, { ...completion(patch.status, task), ...patch })
      if (Object.keys(changes).length === 0) return { before: task, after: task }
      if (changes.goalId && locked.get(changes.goalId)?.userId !== task.userId) throw unseenGoal()
      const updated = (await tasks.update(trx, task.id, changes)) as TaskView
      await writing.tell(
        trx,
        news('updated', updated),
        ...(changes.status === 'completed' ? [news('completed', updated)] : [])
      )
      if (changes.status || changes.goalId) await moveProgress(trx, [task.goalId, updated.goalId])
      if ('title' in changes || 'description' in changes) {
        await writing.texts.changed(trx, { type: 'task', id: task.id, ownerId: task.userId })
      }
      return { before: task, after: updated }
    },

    async update(actor: Person, id: string, patch: TaskPatch, ifMatch?: string): Promise<TaskView> {
      return await writing.run((trx) => service.updateIn(trx, actor, id, patch, ifMatch))
    },

    /** Completing what is completed changes nothing and tells nobody. @throws AppError 404 */
    async complete(actor: Person, id: string): Promise<TaskView> {
      return await service.update(actor, id, { status: 'completed' })
    },

    /** Deletes a task; its code snapshots stay, without it. @throws AppError 404, 412 */
    async removeIn(trx: Knex.Transaction, actor: Person, id: string, ifMatch?: string): Promise<void> {
      const { task } = await lock(trx, actor, id)
      requireMatch(ifMatch, task)
      const left = await codeSnapshots.leaveTasks(trx, [task.id])
      await writing.tell(trx, ...left.map((snapshot) => snapshotEvent('updated', snapshot)), news('deleted', task))
      await writing.texts.removed(trx, 'task', [task.id])
      await tasks.remove(trx, [task.id])
      await moveProgress(trx, [task.goalId])
    },

    async remove(actor: Person, id: string, ifMatch?: string): Promise<void> {
      await writing.run((trx) => service.removeIn(trx, actor, id, ifMatch))
    }
  }
  return service
}
