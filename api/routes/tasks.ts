import type { Records } from '../../lib/records/records.ts'
import { idParamsSchema } from '../../lib/schemas/page.ts'
import { taskCreateSchema, taskPatchSchema, taskQuerySchema, taskSchema } from '../../lib/schemas/task.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { recordEndpoints, shown } from '../record-endpoints.ts'

type Needs = { records: Pick<Records, 'run' | 'tasks'> }

/** Tasks of one's own goals. Completing one moves the goal's progress. */
export function taskEndpoints({ records: { run, tasks } }: Needs): Endpoint[] {
  const tag = 'Tasks'
  return [
    ...recordEndpoints({
      path: '/tasks',
      tag,
      one: 'a task',
      schemas: { create: taskCreateSchema, patch: taskPatchSchema, query: taskQuerySchema, view: taskSchema },
      service: { ...tasks, create: (actor, input) => run((trx) => tasks.create(trx, actor, input)) }
    }),
    endpoint({
      method: 'post',
      path: '/tasks/:id/complete',
      summary: 'Complete a task; repeating it changes nothing',
      tag,
      access: 'user',
      params: idParamsSchema,
      responses: { 200: { description: 'The completed task', schema: taskSchema } },
      handler: async ({ actor, params: { id } }) => shown(await tasks.complete(actor, id))
    })
  ]
}
