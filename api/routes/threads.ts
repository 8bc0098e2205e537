import { idParamsSchema, pageOf, pageQuerySchema } from '../../lib/schemas/page.ts'
import { threadSchema, threadWithMessagesSchema } from '../../lib/schemas/thread.ts'
import type { Threads } from '../../lib/threads/threads.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'

/** Looking at one's conversations and deleting them. They are begun and continued by `POST /chat`. */
export function threadEndpoints({ threads }: { threads: Threads }): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/chat/threads',
      summary: 'List your conversations, newest first',
      tag: 'Threads',
      access: 'user',
      query: pageQuerySchema,
      responses: { 200: { description: 'A page of conversations', schema: pageOf(threadSchema) } },
      async handler({ actor, query }) {
        return { status: 200, body: await threads.list(actor, query) }
      }
    }),
    endpoint({
      method: 'get',
      path: '/chat/threads/:id',
      summary: 'Read a conversation with its messages',
      tag: 'Threads',
      access: 'user',
      params: idParamsSchema,
      responses: { 200: { description: 'The conversation', schema: threadWithMessagesSchema } },
      async handler({ actor, params: { id } }) {
        return { status: 200, body: await threads.find(actor, id) }
      }
    }),
    endpoint({
      method: 'delete',
      path: '/chat/threads/:id',
      summary: 'Delete a conversation; its jobs stay',
      tag: 'Threads',
      access: 'user',
      params: idParamsSchema,
      responses: { 204: { description: 'Deleted' } },
      async handler({ actor, params: { id } }) {
        await threads.remove(actor, id)
        return { status: 204 }
      }
    })
  ]
}
