import type { ChatInput } from '../../../lib/schemas/chat.ts'
import { isUuid } from '../../../lib/schemas/page.ts'
import type { PlannedRead } from '../plan.ts'
import type { References } from '../references.ts'

export type Arguments = { ok: true; value: Record<string, unknown> } | { ok: false; message: string }

/**
 * What a planned look-up means as arguments of its tool. Ids come from the request and from the person's own records;
 * the tool looks once more whether the person may see what they name.
 */
export async function argumentsOf(
  read: PlannedRead,
  {
    input,
    query,
    references
  }: { input: Pick<ChatInput, 'goalId' | 'taskId' | 'courseId'>; query: string; references: References }
): Promise<Arguments> {
  const { tool, record, status } = read
  const where = input.courseId === undefined ? {} : { scope: 'course', courseId: input.courseId }
  const some = status === null ? {} : { status }

  async function withId(type: 'goal' | 'task', name: string): Promise<Arguments> {
    const found = await references.find(type, record)
    return found.ok ? { ok: true, value: { [name]: found.record.id } } : found
  }

  switch (tool) {
    case 'list_goals':
      return { ok: true, value: some }
    case 'get_goal':
      return await withId('goal', 'goalId')
    case 'list_tasks': {
      if (record === null) return { ok: true, value: { ...some, ...(input.goalId ? { goalId: input.goalId } : {}) } }
      const goal = await withId('goal', 'goalId')
      return goal.ok ? { ok: true, value: { ...some, ...goal.value } } : goal
    }
    case 'get_task':
    case 'get_task_context':
      return await withId('task', 'taskId')
    case 'list_code_snapshots':
      return record === null && input.taskId === undefined ? { ok: true, value: {} } : await withId('task', 'taskId')
    case 'get_code_snapshot':
      if (record !== null && isUuid(record)) return { ok: true, value: { codeSnapshotId: record } }
      return await withId('task', 'taskId')
    case 'get_course_documentation':
      return { ok: true, value: { query, courseId: input.courseId } }
    case 'get_similar_goals':
      if (record === null && read.query !== null) return { ok: true, value: { query, ...where } }
      return await withId('goal', 'goalId')
    case 'get_similar_code':
    case 'search_knowledge_base':
      return { ok: true, value: { query, ...where } }
  }
}
