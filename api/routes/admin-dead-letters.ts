import { z } from 'zod'
import { notFound } from '../../lib/errors/app-error.ts'
import { deadLetterQuerySchema, deadLetterSchema, deadLettersRetrySchema } from '../../lib/schemas/dead-letter.ts'
import { encodeCursor, idParamsSchema, isUuid, pageOf } from '../../lib/schemas/page.ts'
import type { DeadLetterStore } from '../../lib/store/operations/dead-letters.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'

const tag = 'Admin: dead letters'
const access = 'admin'
const retriedAtOnce = 1_000

/** What failed by itself in a shared batch and was put aside, so that the others go on. */
export function adminDeadLetterEndpoints({
  deadLetterStore: store
}: {
  deadLetterStore: Pick<DeadLetterStore, 'list' | 'requestRetry' | 'requestRetries' | 'remove'>
}): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/admin/dead-letters',
      summary: 'List what was put aside because it failed by itself, the newest first',
      tag,
      access,
      query: deadLetterQuerySchema,
      responses: { 200: { description: 'A page', schema: pageOf(deadLetterSchema) } },
      async handler({ query: { limit, cursor, kind } }) {
        const found = await store.list({ kind, before: cursor, limit: limit + 1 })
        const data = found.slice(0, limit)
        const last = found.length > limit ? data.at(-1) : undefined
        return { status: 200, body: { data, nextCursor: last ? encodeCursor(last.id) : null } }
      }
    }),
    endpoint({
      method: 'post',
      path: '/admin/dead-letters/:id/retry',
      summary:
        'Try one again: it is gone from the list when it is done, and stands there with its reason when it is not',
      tag,
      access,
      params: idParamsSchema,
      responses: { 202: { description: 'It is tried within seconds', schema: deadLetterSchema } },
      async handler({ params: { id } }) {
        const letter = isUuid(id) ? await store.requestRetry(id) : undefined
        if (!letter) throw notFound('the dead letter')
        return { status: 202, body: letter }
      }
    }),
    endpoint({
      method: 'post',
      path: '/admin/dead-letters/retry',
      summary: 'Try all of a kind again, or of every kind, up to a thousand at once',
      tag,
      access,
      query: deadLettersRetrySchema,
      responses: { 202: { description: 'How many are tried', schema: z.object({ retried: z.int() }) } },
      handler: async ({ query: { kind } }) => ({
        status: 202,
        body: { retried: await store.requestRetries(kind, retriedAtOnce) }
      })
    }),
    endpoint({
      method: 'delete',
      path: '/admin/dead-letters/:id',
      summary: 'Give one up for good',
      tag,
      access,
      params: idParamsSchema,
      responses: { 204: { description: 'It is gone' } },
      async handler({ params: { id } }) {
        if (!isUuid(id) || !(await store.remove(id))) throw notFound('the dead letter')
        return { status: 204 }
      }
    })
  ]
}
