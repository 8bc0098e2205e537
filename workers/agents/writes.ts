import type { Knex } from 'knex'
import { AppError } from '../../lib/errors/app-error.ts'
import { JobError } from '../../lib/errors/job-error.ts'
import type { Records } from '../../lib/records/records.ts'
import type { Person } from '../../lib/records/viewer.ts'
import type { ChatChange } from '../../lib/schemas/chat.ts'
import type { GoalCreate, GoalPatch } from '../../lib/schemas/goal.ts'
import type { TaskCreate, TaskPatch } from '../../lib/schemas/task.ts'
import type { JobChanges } from '../../lib/records/job-changes.ts'

/** A change that a run has settled. `id` is the record's, chosen for a new one so that later changes can refer to it. */
export type StagedWrite = { id: string } & (
  | { op: 'create_goal'; input: GoalCreate }
  | { op: 'create_task'; input: TaskCreate }
  | { op: 'update_goal'; input: GoalPatch }
  | { op: 'update_task'; input: TaskPatch }
)

/**
 * Carries out what a run has settled, in the transaction of the job's effect: all of it once, or nothing. What it
 * changed is kept with the job, so that it can be taken back.
 * @throws JobError `conflict` when a record it needs is gone: another attempt would want the same
 */
export function createWrites({
  goals,
  tasks,
  jobChanges
}: Pick<Records, 'goals' | 'tasks'> & { jobChanges: JobChanges }) {
  return async function applyWrites(
    trx: Knex.Transaction,
    jobId: string,
    person: Person,
    staged: StagedWrite[]
  ): Promise<ChatChange[]> {
    if (staged.length === 0) return []
    const changes = jobChanges.begin()
    try {
      for (const write of grouped(staged)) {
        if (write.op === 'create_goals') changes.created('goal', await goals.createAll(trx, person, write.inputs))
        else if (write.op === 'create_tasks') changes.created('task', await tasks.createAll(trx, person, write.inputs))
        else if (write.op === 'update_goal') {
          changes.changed('goal', await goals.changeIn(trx, person, write.id, write.input))
        } else changes.changed('task', await tasks.changeIn(trx, person, write.id, write.input))
      }
    } catch (error) {
      if (!(error instanceof AppError) || error.status >= 500) throw error
      throw new JobError('conflict', 'a record that this answer was to change was changed or deleted meanwhile', {
        retryable: false,
        cause: error
      })
    }
    return await changes.keep(trx, jobId)
  }
}

type Group =
  | { op: 'create_goals'; inputs: (GoalCreate & { id: string })[] }
  | { op: 'create_tasks'; inputs: (TaskCreate & { id: string })[] }
  | Extract<StagedWrite, { op: 'update_goal' | 'update_task' }>

/** What is created one after another is created in one statement. */
function grouped(staged: StagedWrite[]): Group[] {
  const groups: Group[] = []
  for (const write of staged) {
    const last = groups.at(-1)
    if (write.op === 'create_goal') {
      if (last?.op === 'create_goals') last.inputs.push({ ...write.input, id: write.id })
      else groups.push({ op: 'create_goals', inputs: [{ ...write.input, id: write.id }] })
    } else if (write.op === 'create_task') {
      if (last?.op === 'create_tasks') last.inputs.push({ ...write.input, id: write.id })
      else groups.push({ op: 'create_tasks', inputs: [{ ...write.input, id: write.id }] })
    } else groups.push(write)
  }
  return groups
}
