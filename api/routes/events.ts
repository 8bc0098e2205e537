import type { Records } from '../../lib/records/records.ts'
import { eventCreateSchema, eventQuerySchema, eventSchema } from '../../lib/schemas/event.ts'
import { idParamsSchema, pageOf } from '../../lib/schemas/page.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { created, createdResponse, shown, shownResponse } from '../record-endpoints.ts'

type Needs = { records: Pick<Records, 'run' | 'events'> }

/** `data` may be any JSON of 64 KiB. */
const eventBodyValues = 10_000

/** The event log of one's own things. It only grows: there is no PATCH and no DELETE. */
export function eventEndpoints({ records: { run, events } }: Needs): Endpoint[] {
  const common = { tag: 'Events', access: 'user' } as const
  return [
    endpoint({
      ...common,
      method: 'get',
      path: '/events',
      summary: 'List events, newest first; with `after` those behind a position, oldest first',
      query: eventQuerySchema,
      responses: { 200: { description: 'A page', schema: pageOf(eventSchema) } },
      handler: async ({ actor, query }) => ({ status: 200, body: await events.list(actor, query) })
    }),
    endpoint({
      ...common,
      method: 'post',
      path: '/events',
      summary: 'Tell an event of your own, with a type that begins with `client.`',
      body: eventCreateSchema,
      bodyLimitValues: eventBodyValues,
      responses: createdResponse('The event', eventSchema),
      async handler({ actor, body }) {
        const id = await run((trx) => events.create(trx, actor, body))
        return created(await events.find(actor, id), `/events/${id}`)
      }
    }),
    endpoint({
      ...common,
      method: 'get',
      path: '/events/:id',
      summary: 'Read an event',
      params: idParamsSchema,
      responses: shownResponse('The event', eventSchema),
      handler: async ({ actor, params: { id } }) => shown(await events.find(actor, id))
    })
  ]
}
