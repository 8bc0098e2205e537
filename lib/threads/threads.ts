import { invalid, notFound } from '../errors/app-error.ts'
import type { Access } from '../records/access.ts'
import type { Person } from '../records/viewer.ts'
import type { ChatInput } from '../schemas/chat.ts'
import { encodeCursor, isUuid, type Page, type PageQuery } from '../schemas/page.ts'
import type { ThreadView, ThreadWithMessages } from '../schemas/thread.ts'
import type { ThreadStore } from '../store/records/threads.ts'

const maxMessages = 1_000

export type Threads = ReturnType<typeof createThreads>

/** Conversations of the one who asks; administrators see no others' either. */
export function createThreads({ store }: { store: ThreadStore }) {
  return {
    async list(actor: Pick<Person, 'id'>, { limit, cursor }: PageQuery): Promise<Page<ThreadView>> {
      const found = await store.list(actor.id, { before: cursor, limit: limit + 1 })
      const data = found.slice(0, limit)
      const last = found.length > limit ? data.at(-1) : undefined
      return { data, nextCursor: last ? encodeCursor(last.id) : null }
    },

    /** @throws AppError 404 */
    async find(actor: Pick<Person, 'id'>, id: string): Promise<ThreadWithMessages> {
      const thread = isUuid(id) ? await store.find(actor.id, id) : undefined
      if (!thread) throw notFound('the thread')
      return { ...thread, messages: await store.messages(thread.id, maxMessages) }
    },

    /** @throws AppError 404 */
    async remove(actor: Pick<Person, 'id'>, id: string): Promise<void> {
      if (!isUuid(id) || !(await store.remove(actor.id, id))) throw notFound('the thread')
    }
  }
}

/** Looks whether what a chat request refers to can be seen by its sender. */
export function createChatReferences({
  threads,
  access
}: {
  threads: Pick<ThreadStore, 'find'>
  access: Pick<Access, 'visibleGoal' | 'visibleTask' | 'visibleCourse'>
}) {
  /** @throws AppError 422 that names every field that refers to something unknown or foreign */
  return async function checkChatReferences(actor: Person, input: ChatInput): Promise<void> {
    const { threadId, goalId, taskId, courseId } = input
    const [thread, goal, task, course] = await Promise.all([
      threadId === undefined || threads.find(actor.id, threadId),
      goalId === undefined || access.visibleGoal(actor, goalId),
      taskId === undefined || access.visibleTask(actor, taskId),
      courseId === undefined || access.visibleCourse(actor, courseId)
    ])
    const errors = [
      ...(thread ? [] : [{ path: 'threadId', message: 'is not a thread of yours' }]),
      ...(goal ? [] : [{ path: 'goalId', message: 'is not a goal that can be seen' }]),
      ...(task ? [] : [{ path: 'taskId', message: 'is not a task that can be seen' }]),
      ...(course ? [] : [{ path: 'courseId', message: 'is not a course that can be seen' }])
    ]
    if (errors.length > 0) throw invalid(errors)
  }
}
