import type { Knex } from 'knex'
import { type GoalView, goalSchema } from '../../schemas/goal.ts'
import { createRecordStore } from './record-store.ts'

export type GoalStore = ReturnType<typeof createGoalStore>

export function createGoalStore({ knex }: { knex: Knex }) {
  const records = createRecordStore<GoalView>({
    knex,
    table: 'goals',
    schema: goalSchema,
    visible: (query, { userId }) => void query.where('goals.user_id', userId),
    bulky: ['description']
  })
  return {
    ...records,

    /**
     * Sets the progress of goals to the share of their tasks that are completed, 0 when there are none.
     * The goals are locked by the caller, so that nobody counts tasks that another is about to change.
     * @returns the goals whose progress moved
     */
    async countProgress(trx: Knex.Transaction, ids: string[]): Promise<GoalView[]> {
      const { rows } = (await trx.raw(
        `update goals
         set progress = share.progress, updated_at = clock_timestamp()
         from (
           select goal.id, coalesce(avg((tasks.status = 'completed')::int), 0)::double precision as progress
           from unnest(?::uuid[]) as goal (id)
           left join tasks on tasks.goal_id = goal.id
           group by goal.id
         ) as share
         where goals.id = share.id and goals.progress <> share.progress
         returning goals.*`,
        [ids]
      )) as { rows: Record<string, unknown>[] }
      return rows.map(records.toView)
    },

    /** Lets go of a course that is about to be deleted. @returns the goals that named it */
    async leaveCourse(trx: Knex.Transaction, courseId: string): Promise<GoalView[]> {
      const { rows } = (await trx.raw(
        `update goals
         set course_id = null, updated_at = clock_timestamp()
         where id in (select id from goals where course_id = ? order by id for update)
         returning *`,
        [courseId]
      )) as { rows: Record<string, unknown>[] }
      return rows.map(records.toView)
    }
  }
}
