import type { Knex } from 'knex'
import { type TaskView, taskSchema } from '../../schemas/task.ts'
import { createRecordStore } from './record-store.ts'

export type TaskStore = ReturnType<typeof createTaskStore>

export function createTaskStore({ knex }: { knex: Knex }) {
  const records = createRecordStore<TaskView>({
    knex,
    table: 'tasks',
    schema: taskSchema,
    visible: (query, { userId }) => void query.where('tasks.user_id', userId),
    bulky: ['description']
  })
  return {
    ...records,

    /** The tasks of a goal, locked in order of their ids. */
    async lockOfGoal(trx: Knex.Transaction, goalId: string): Promise<TaskView[]> {
      const rows = (await trx('tasks').where({ goal_id: goalId }).orderBy('id').forUpdate()) as Record<
        string,
        unknown
      >[]
      return rows.map(records.toView)
    },

    /** The place after the last task of each goal. */
    async nextPositions(trx: Knex.Transaction, goalIds: string[]): Promise<Map<string, number>> {
      const rows = (await trx('tasks')
        .whereIn('goal_id', goalIds)
        .groupBy('goal_id')
        .select('goal_id', trx.raw('max(position) + 1 as next'))) as { goal_id: string; next: number }[]
      return new Map(rows.map(({ goal_id, next }) => [goal_id, next]))
    }
  }
}
