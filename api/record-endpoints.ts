import type { z } from 'zod'
import type { Actor } from '../lib/access/actor.ts'
import { tagged } from '../lib/etag.ts'
import { idParamsSchema, type Page, pageOf } from '../lib/schemas/page.ts'
import { type Endpoint, endpoint, type Reply } from './endpoint.ts'

const basePath = '/api/v1'
const etagHeader = { ETag: 'names this representation, for `If-Match` and `If-None-Match`' }

/** A record with the tag that a later `If-Match` may name. */
export function shown(record: object): Reply {
  const { etag, json } = tagged(record)
  return { status: 200, body: record, json, headers: { ETag: etag } }
}

/** @param path where the record is read, below `/api/v1` */
export function created(record: object, path: string): Reply {
  const { etag, json } = tagged(record)
  return { status: 201, body: record, json, headers: { ETag: etag, Location: `${basePath}${path}` } }
}

export const createdResponse = (description: string, schema: z.ZodType) => ({
  201: { description, schema, headers: { Location: 'where it is read', ...etagHeader } }
})

export const shownResponse = (description: string, schema: z.ZodType) => ({
  200: { description, schema, headers: etagHeader },
  304: { description: 'It is what `If-None-Match` names' }
})

type Kind<Create extends z.ZodType, Patch extends z.ZodType, Query extends z.ZodType> = {
  /** of the list, for example `/goals` */
  path: string
  tag: string
  /** what one is called, with its article */
  one: string
  schemas: { create: Create; patch: Patch; query: Query; view: z.ZodType }
  bodyLimitBytes?: number
  service: {
    find(actor: Actor, id: string): Promise<{ id: string }>
    list(actor: Actor, query: z.output<Query>): Promise<Page<object>>
    create(actor: Actor, input: z.output<Create>): Promise<{ id: string }>
    update(actor: Actor, id: string, patch: z.output<Patch>, ifMatch?: string): Promise<object>
    remove(actor: Actor, id: string, ifMatch?: string): Promise<void>
  }
}

/** The five routes that all records share: list, create, read, change, delete. */
export function recordEndpoints<Create extends z.ZodType, Patch extends z.ZodType, Query extends z.ZodType>({
  path,
  tag,
  one,
  schemas,
  bodyLimitBytes,
  service
}: Kind<Create, Patch, Query>): Endpoint[] {
  const limits = bodyLimitBytes === undefined ? {} : { bodyLimitBytes }
  const common = { tag, access: 'user' } as const
  const onePath = `${path}/:id`
  return [
    endpoint({
      ...common,
      method: 'get',
      path,
      summary: `List ${path.slice(1).replace('-', ' ')}, newest first`,
      query: schemas.query,
      responses: { 200: { description: 'A page', schema: pageOf(schemas.view) } },
      handler: async ({ actor, query }) => ({ status: 200, body: await service.list(actor, query as z.output<Query>) })
    }),
    endpoint({
      ...common,
      ...limits,
      method: 'post',
      path,
      summary: `Create ${one}`,
      body: schemas.create,
      responses: createdResponse('As it was created', schemas.view),
      async handler({ actor, body }) {
        const record = await service.create(actor, body as z.output<Create>)
        return created(record, `${path}/${record.id}`)
      }
    }),
    endpoint({
      ...common,
      method: 'get',
      path: onePath,
      summary: `Read ${one}`,
      params: idParamsSchema,
      responses: shownResponse('As it is now', schemas.view),
      handler: async ({ actor, params: { id } }) => shown(await service.find(actor, id))
    }),
    endpoint({
      ...common,
      ...limits,
      method: 'patch',
      path: onePath,
      summary: `Change ${one}; with \`If-Match\` only if it is still as it was read`,
      params: idParamsSchema,
      body: schemas.patch,
      responses: { 200: { description: 'As it is now', schema: schemas.view, headers: etagHeader } },
      handler: async ({ actor, params: { id }, body, req }) =>
        shown(await service.update(actor, id, body as z.output<Patch>, req.get('if-match')))
    }),
    endpoint({
      ...common,
      method: 'delete',
      path: onePath,
      summary: `Delete ${one}`,
      params: idParamsSchema,
      responses: { 204: { description: 'Deleted' } },
      async handler({ actor, params: { id }, req }) {
        await service.remove(actor, id, req.get('if-match'))
        return { status: 204 }
      }
    })
  ]
}
