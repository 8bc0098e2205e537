import type { Knex } from 'knex'
import type { Records } from '../../lib/records/records.ts'
import type { Person } from '../../lib/records/viewer.ts'
import { JobError } from '../../lib/jobs/job-error.ts'
import { AppError } from '../../lib/errors.ts'
import type { GoalCreate, GoalPatch } from '../../lib/schemas/goal.ts'
import type { TaskCreate, TaskPatch } from '../../lib/schemas/task.ts'

/**
 * A change that a tool call made. `key` is the call, so that none counts twice; `id` the record, which for a new one is
 * what later calls of the run know it by.
 */
export type StagedWrite = { key: string; id: string } & (
  | { op: 'create_goal'; input: GoalCreate }
  | { op: 'create_task'; input: TaskCreate }
  | { op: 'update_goal'; input: GoalPatch }
  | { op: 'update_task'; input: TaskPatch }
)

/**
 * Carries out what the tools of a run decided, in the transaction of the job's effect: all of it once, or nothing.
 * @throws JobError `conflict` when a record it needs is gone: another attempt would want the same
 */
export function createWrites({ goals, tasks }: Pick<Records, 'goals' | 'tasks'>) {
  return async function applyWrites(trx: Knex.Transaction, person: Person, staged: StagedWrite[]): Promise<void> {
    /** ids that new records got, by those they were known by */
    const made = new Map<string, string>()
    const real = (id: string) => made.get(id) ?? id
    try {
      for (const write of staged) {
        if (write.op === 'create_goal') made.set(write.id, (await goals.create(trx, person, write.input)).id)
        else if (write.op === 'create_task') {
          const input = { ...write.input, goalId: real(write.input.goalId) }
          made.set(write.id, (await tasks.create(trx, person, input)).id)
        } else if (write.op === 'update_goal') await goals.updateIn(trx, person, real(write.id), write.input)
        else {
          const { goalId, ...patch } = write.input
          const input = goalId === undefined ? patch : { ...patch, goalId: real(goalId) }
          await tasks.updateIn(trx, person, real(write.id), input)
        }
      }
    } catch (error) {
      if (!(error instanceof AppError) || error.status >= 500) throw error
      throw new JobError('conflict', 'a record that this answer was to change was changed or deleted meanwhile', {
        retryable: false,
        cause: error
      })
    }
  }
}
