import { notFound } from '../errors/app-error.ts'
import type { Person } from '../records/viewer.ts'
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
