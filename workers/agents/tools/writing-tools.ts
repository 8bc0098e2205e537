import { invalid, invalidField } from '../../../lib/errors.ts'
import { newId } from '../../../lib/ids.ts'
import type { Access } from '../../../lib/records/access.ts'
import type { Person } from '../../../lib/records/viewer.ts'
import { goalCreateSchema, goalPatchSchema } from '../../../lib/schemas/goal.ts'
import { taskCreateSchema, taskPatchSchema } from '../../../lib/schemas/task.ts'
import { idSchema } from '../../../lib/schemas/text.ts'
import type { StagedWrite } from '../writes.ts'
import { type AgentTool, agentTool, type ToolUse } from './tool.ts'

type Needs = { access: Pick<Access, 'visibleGoal' | 'visibleTask' | 'visibleCourse'> }

const mostWrites = 50
const saved = 'will be saved together with your answer'

/**
 * Tools that change goals and tasks of the user. A call changes nothing yet: it is kept, and committed with the run's
 * end, so that a run that is resumed, cancelled or fails does not leave half of what it meant.
 */
export function writingTools({ access }: Needs): Record<StagedWrite['op'], AgentTool> {
  /** The goal is the user's own, or was made by this run. */
  async function requireGoal(person: Person, goalId: string, { staged }: ToolUse): Promise<void> {
    if (staged.some(({ op, id }) => op === 'create_goal' && id === goalId)) return
    const goal = await access.visibleGoal(person, goalId)
    if (goal?.userId !== person.id) throw invalidField('goalId', 'is not a goal of the user')
  }

  async function requireTask(person: Person, taskId: string, { staged }: ToolUse): Promise<void> {
    if (staged.some(({ op, id }) => op === 'create_task' && id === taskId)) return
    const task = await access.visibleTask(person, taskId)
    if (task?.userId !== person.id) throw invalidField('taskId', 'is not a task of the user')
  }

  async function requireCourse(person: Person, courseId: string | null | undefined): Promise<void> {
    if (courseId && !(await access.visibleCourse(person, courseId))) {
      throw invalidField('courseId', 'is not a course the user can see')
    }
  }

  const requireRoom = ({ staged }: ToolUse) => {
    if (staged.length >= mostWrites)
      throw invalid([{ path: '', message: `at most ${mostWrites} changes in one answer` }])
  }

  return {
    create_goal: agentTool({
      name: 'create_goal',
      description: 'Create a goal for the user. Only when the user asks for it.',
      schema: goalCreateSchema,
      async run(input, use) {
        requireRoom(use)
        await requireCourse(use.person, input.courseId)
        const id = newId()
        return {
          kind: 'staged',
          write: { key: '', id, op: 'create_goal', input },
          tell: { goal: { id, title: input.title, status: input.status }, state: saved }
        }
      }
    }),
    create_task: agentTool({
      name: 'create_task',
      description: 'Create a task of one of the user’s goals. Only when the user asks for it.',
      schema: taskCreateSchema,
      async run(input, use) {
        requireRoom(use)
        await requireGoal(use.person, input.goalId, use)
        const id = newId()
        return {
          kind: 'staged',
          write: { key: '', id, op: 'create_task', input },
          tell: { task: { id, goalId: input.goalId, title: input.title, status: input.status }, state: saved }
        }
      }
    }),
    update_goal: agentTool({
      name: 'update_goal',
      description: 'Change a goal of the user. Only when the user asks for it.',
      schema: goalPatchSchema.extend({ goalId: idSchema }),
      async run({ goalId, ...input }, use) {
        requireRoom(use)
        await requireGoal(use.person, goalId, use)
        await requireCourse(use.person, input.courseId)
        return {
          kind: 'staged',
          write: { key: '', id: goalId, op: 'update_goal', input },
          tell: { goal: { id: goalId, ...input }, state: saved }
        }
      }
    }),
    update_task: agentTool({
      name: 'update_task',
      description: 'Change a task of the user, for example to mark it as completed. Only when the user asks for it.',
      schema: taskPatchSchema.extend({ taskId: idSchema }),
      async run({ taskId, ...input }, use) {
        requireRoom(use)
        await requireTask(use.person, taskId, use)
        if (input.goalId !== undefined) await requireGoal(use.person, input.goalId, use)
        return {
          kind: 'staged',
          write: { key: '', id: taskId, op: 'update_task', input },
          tell: { task: { id: taskId, ...input }, state: saved }
        }
      }
    })
  }
}
