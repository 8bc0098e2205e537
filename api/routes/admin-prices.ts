import { z } from 'zod'
import { AppError, notFound } from '../../lib/errors/app-error.ts'
import { priceInputSchema, priceSchema } from '../../lib/schemas/admin.ts'
import { encodeCursor, idParamsSchema, pageFields, pageOf } from '../../lib/schemas/page.ts'
import type { PriceStore } from '../../lib/store/money/prices.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { smallBodyBytes } from '../intake/limits.ts'

const tag = 'Admin: prices'
const access = 'admin'

/** List prices of models. They are added, never changed: what was charged stays what it was. */
export function adminPriceEndpoints({ prices }: { prices: PriceStore }): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/admin/prices',
      summary: 'List prices, the newest first',
      tag,
      access,
      query: z.strictObject({ ...pageFields, model: z.string().min(1).max(200).optional() }),
      responses: { 200: { description: 'A page of prices', schema: pageOf(priceSchema) } },
      async handler({ query: { limit, cursor, model } }) {
        const found = await prices.list({ model, before: cursor, limit: limit + 1 })
        const data = found.slice(0, limit)
        const last = found.length > limit ? data.at(-1) : undefined
        return { status: 200, body: { data, nextCursor: last ? encodeCursor(last.id) : null } }
      }
    }),
    endpoint({
      method: 'post',
      path: '/admin/prices',
      summary: 'Add a price that holds for calls made from a moment on; calls made before keep what they cost',
      tag,
      access,
      body: priceInputSchema,
      bodyLimitBytes: smallBodyBytes,
      responses: {
        201: { description: 'The price', schema: priceSchema, headers: { Location: 'where the price is read' } }
      },
      async handler({ body }) {
        const price = await prices.insert(body)
        if (!price) {
          throw new AppError('conflict', 'This model has a price from that moment already', {
            errors: [{ path: 'validFrom', message: 'is taken for this model' }]
          })
        }
        return { status: 201, body: price, headers: { Location: `/api/v1/admin/prices/${price.id}` } }
      }
    }),
    endpoint({
      method: 'get',
      path: '/admin/prices/:id',
      summary: 'Read a price',
      tag,
      access,
      params: idParamsSchema,
      responses: { 200: { description: 'The price', schema: priceSchema } },
      async handler({ params: { id } }) {
        const price = await prices.find(id)
        if (!price) throw notFound('the price')
        return { status: 200, body: price }
      }
    })
  ]
}
