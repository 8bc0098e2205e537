import type { Knex } from 'knex'
import { type CodeSnapshotView, codeSnapshotSchema } from '../../schemas/code-snapshot.ts'
import { createRecordStore } from './record-store.ts'

export type CodeSnapshotStore = ReturnType<typeof createCodeSnapshotStore>

export function createCodeSnapshotStore({ knex }: { knex: Knex }) {
  const records = createRecordStore<CodeSnapshotView>({
    knex,
    table: 'code_snapshots',
    schema: codeSnapshotSchema,
    visible: (query, { userId }) => void query.where('code_snapshots.user_id', userId),
    bulky: ['source', 'note']
  })
  return {
    ...records,

    /** Whether a task has snapshots; who adds one locks the task first. */
    async hasAnyOf(trx: Knex.Transaction, taskId: string): Promise<boolean> {
      return (await trx('code_snapshots').where({ task_id: taskId }).first('id')) !== undefined
    },

    /** Lets go of tasks that are about to be deleted. @returns the snapshots that named them */
    async leaveTasks(trx: Knex.Transaction, taskIds: string[]): Promise<CodeSnapshotView[]> {
      const { rows } = (await trx.raw(
        `update code_snapshots
         set task_id = null, updated_at = clock_timestamp()
         where id in (select id from code_snapshots where task_id = any (?::uuid[]) order by id for update)
         returning *`,
        [taskIds]
      )) as { rows: Record<string, unknown>[] }
      return rows.map(records.toView)
    }
  }
}
