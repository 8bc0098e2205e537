import type { Knex } from 'knex'
import type { Records } from '../../lib/records/records.ts'
import type { Person } from '../../lib/records/viewer.ts'
import { JobError } from '../../lib/jobs/job-error.ts'
import { AppError } from '../../lib/errors.ts'
import type { GoalCreate, GoalPatch } from '../../lib/schemas/goal.ts'
import type { TaskCreate, TaskPatch } from '../../lib/schemas/task.ts'

/**
 * A change that a tool call made. `key` is the call, so that none counts twice; `id` the record, settled for a new one
 * when the call is made, so that later calls of the run can speak of it.
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
    try {
      for (const { op, id, input } of staged) {
        if (op === 'create_goal') await goals.create(trx, person, { ...input, id })
        else if (op === 'create_task') await tasks.create(trx, person, { ...input, id })
        else if (op === 'update_goal') await goals.updateIn(trx, person, id, input)
        else await tasks.updateIn(trx, person, id, input)
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
