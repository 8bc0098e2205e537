import type { Knex } from 'knex'
import { AppError } from '../errors/app-error.ts'
import type { GoalPatch, GoalView } from '../schemas/goal.ts'
import type { TaskPatch, TaskView } from '../schemas/task.ts'
import type { CodeSnapshotStore } from '../store/records/code-snapshots.ts'
import type { GoalStore } from '../store/records/goals.ts'
import type { Outcome, StoredChange } from '../store/jobs/changes.ts'
import type { TaskStore } from '../store/records/tasks.ts'
import type { Goals } from './goals.ts'
import { hashOf } from './job-changes.ts'
import type { Tasks } from './tasks.ts'
import { type Person, viewerOf } from './viewer.ts'

const undone: Outcome = { kind: 'undone' }
const kept = (reason: string): Outcome => ({ kind: 'kept', reason })

/**
 * Takes back what a job did to records, in the reverse order: what it created is deleted, what it changed is restored.
 * A record that somebody changed since stays as it is, and so does one that something was added to.
 */
export function createUndoChanges({
  stores,
  goals,
  tasks
}: {
  stores: { goals: GoalStore; tasks: TaskStore; codeSnapshots: CodeSnapshotStore }
  goals: Goals
  tasks: Tasks
}) {
  async function takeBackGoal(trx: Knex.Transaction, person: Person, change: StoredChange): Promise<Outcome> {
    const goal = (await stores.goals.lock(trx, [change.id], viewerOf(person))).get(change.id)
    const reason = reasonToKeep(change, goal)
    if (reason) return kept(reason)
    if (change.created) {
      // Who adds a task locks the goal first, so none is added while we look.
      if ((await stores.tasks.lockOfGoal(trx, change.id)).length > 0)
        return kept('it has tasks that were added or changed since')
      await goals.removeIn(trx, person, change.id)
    } else await goals.updateIn(trx, person, change.id, change.before as GoalPatch)
    return undone
  }

  async function takeBackTask(trx: Knex.Transaction, person: Person, change: StoredChange): Promise<Outcome> {
    const seen = await stores.tasks.find(change.id, viewerOf(person), trx)
    // Goals are locked before tasks.
    if (seen) await stores.goals.lock(trx, [seen.goalId], viewerOf(person))
    const task = (await stores.tasks.lock(trx, [change.id], viewerOf(person))).get(change.id)
    const reason = reasonToKeep(change, task)
    if (reason) return kept(reason)
    if (change.created) {
      if (await stores.codeSnapshots.hasAnyOf(trx, change.id)) return kept('code was added to it since')
      await tasks.removeIn(trx, person, change.id)
    } else await tasks.changeIn(trx, person, change.id, change.before as TaskPatch)
    return undone
  }

  return {
    /** @returns what became of each change, in the order of the changes */
    async takeBack(trx: Knex.Transaction, person: Person, changes: StoredChange[]): Promise<Outcome[]> {
      const outcomes: Outcome[] = []
      for (const change of changes.toReversed()) {
        const take = change.type === 'goal' ? takeBackGoal : takeBackTask
        outcomes.unshift(await orKept(take(trx, person, change)))
      }
      return outcomes
    }
  }
}

function reasonToKeep(change: StoredChange, now: GoalView | TaskView | undefined): string | undefined {
  if (!now) return 'it was deleted since'
  if (!hashOf(change.type, now).equals(change.afterHash)) return 'it was changed since'
  if (!change.created && change.before === null) return 'what it was before is too large to have been kept'
  return undefined
}

/** What it refers to may be gone, or out of sight: then it cannot be what it was. */
async function orKept(outcome: Promise<Outcome>): Promise<Outcome> {
  try {
    return await outcome
  } catch (error) {
    if (error instanceof AppError && error.status === 422) return kept('what it belonged to is gone')
    throw error
  }
}
