import { z } from 'zod'
import type { Records } from '../../../lib/records/records.ts'
import { goalStatusSchema, type GoalView } from '../../../lib/schemas/goal.ts'
import { taskStatusSchema, type TaskView } from '../../../lib/schemas/task.ts'
import { idSchema } from '../../../lib/schemas/text.ts'
import { goalFound, snapshotFound, taskFound } from './record-text.ts'
import { type AgentTool, agentTool, type ToolOutcome } from './tool.ts'

type Needs = Pick<Records, 'goals' | 'tasks' | 'codeSnapshots'>

const limit = z.int().min(1).max(25).default(10)

const goalFacts = ({ id, title, status, progress, courseId, dueAt }: GoalView, n: number) => ({
  n,
  id,
  title,
  status,
  progress,
  courseId,
  dueAt
})
const taskFacts = ({ id, goalId, title, status, position, dueAt }: TaskView, n: number) => ({
  n,
  id,
  goalId,
  title,
  status,
  position,
  dueAt
})

function listOf<V>(
  name: string,
  rows: V[],
  found: (row: V) => ReturnType<typeof goalFound>,
  facts: (row: V, n: number) => object
): ToolOutcome {
  return {
    kind: 'records',
    found: rows.map(found),
    tell: (numbers) => ({ [name]: rows.map((row, at) => facts(row, numbers[at] as number)) })
  }
}

/** Goals and tasks of the user, to be read. */
export function goalTools({ goals, tasks }: Needs): AgentTool[] {
  return [
    agentTool({
      name: 'list_goals',
      schema: z.strictObject({ status: goalStatusSchema.optional(), courseId: idSchema.optional(), limit }),
      async run({ limit: most, ...filters }, { person }) {
        const { data } = await goals.list(person, { limit: most, userId: person.id, ...filters })
        return listOf('goals', data, goalFound, goalFacts)
      }
    }),
    agentTool({
      name: 'get_goal',
      schema: z.strictObject({ goalId: idSchema }),
      async run({ goalId }, { person }) {
        const goal = await goals.find(person, goalId)
        const { data } = await tasks.list(person, { goalId, limit: 50 })
        const inOrder = data.toSorted((a, b) => a.position - b.position)
        return {
          kind: 'records',
          found: [goalFound(goal), ...inOrder.map(taskFound)],
          tell: ([n = 0, ...numbers]) => ({
            goal: { ...goalFacts(goal, n), description: goal.description },
            tasks: inOrder.map((task, at) => taskFacts(task, numbers[at] as number))
          })
        }
      }
    }),
    agentTool({
      name: 'list_tasks',
      schema: z.strictObject({ goalId: idSchema.optional(), status: taskStatusSchema.optional(), limit }),
      async run({ limit: most, ...filters }, { person }) {
        const { data } = await tasks.list(person, { limit: most, userId: person.id, ...filters })
        return listOf('tasks', data, taskFound, taskFacts)
      }
    }),
    agentTool({
      name: 'get_task',
      schema: z.strictObject({ taskId: idSchema }),
      async run({ taskId }, { person }) {
        const task = await tasks.find(person, taskId)
        return {
          kind: 'records',
          found: [taskFound(task)],
          tell: ([n = 0]) => ({ task: { ...taskFacts(task, n), description: task.description } })
        }
      }
    })
  ]
}

/** Code of the user, to be read line by line. */
export function snapshotTools({ codeSnapshots }: Pick<Needs, 'codeSnapshots'>): AgentTool[] {
  return [
    agentTool({
      name: 'list_code_snapshots',
      schema: z.strictObject({ taskId: idSchema.optional(), limit }),
      async run({ limit: most, ...filters }, { person }) {
        const { data } = await codeSnapshots.list(person, { limit: most, userId: person.id, ...filters })
        return {
          kind: 'records',
          found: [],
          tell: () => ({
            codeSnapshots: data.map(({ id, taskId, language, path, note, sizeBytes, createdAt }) => ({
              id,
              taskId,
              language,
              title: path ?? `${language} code`,
              note,
              sizeBytes,
              createdAt
            }))
          })
        }
      }
    }),
    agentTool({
      name: 'get_code_snapshot',
      schema: z.union([z.strictObject({ codeSnapshotId: idSchema }), z.strictObject({ taskId: idSchema })]),
      async run(args, { person }) {
        if ('codeSnapshotId' in args) {
          return { kind: 'found', found: [snapshotFound(await codeSnapshots.find(person, args.codeSnapshotId))] }
        }
        const { data } = await codeSnapshots.list(person, { limit: 1, userId: person.id, taskId: args.taskId })
        return { kind: 'found', found: data.map(snapshotFound) }
      }
    })
  ]
}
