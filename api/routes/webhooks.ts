import { z } from 'zod'
import { idParamsSchema, pageOf, pageQuerySchema } from '../../lib/schemas/page.ts'
import {
  createdWebhookSchema,
  deliverySchema,
  webhookCreateSchema,
  webhookPatchSchema,
  webhookSchema
} from '../../lib/schemas/webhook.ts'
import type { Webhooks } from '../../lib/webhooks/webhooks.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { smallBodyBytes } from '../intake/limits.ts'
import { recordEndpoints } from '../record-endpoints.ts'

const deliveryParamsSchema = idParamsSchema.extend({ deliveryId: z.string().meta({ format: 'uuid' }) })

/** Webhooks: each its person's own. The secret is in the answer to the creation and nowhere else. */
export function webhookEndpoints({ webhooks }: { webhooks: Webhooks }): Endpoint[] {
  const common = { tag: 'Webhooks', access: 'user' } as const
  const [list, create, ...others] = recordEndpoints({
    path: '/webhooks',
    tag: 'Webhooks',
    one: 'a webhook',
    schemas: { create: webhookCreateSchema, patch: webhookPatchSchema, query: pageQuerySchema, view: webhookSchema },
    bodyLimitBytes: smallBodyBytes,
    service: webhooks
  }) as [Endpoint, Endpoint, ...Endpoint[]]
  const createdReply = create.responses[201] as Endpoint['responses'][number]
  return [
    list,
    { ...create, responses: { 201: { ...createdReply, schema: createdWebhookSchema } } },
    ...others,
    endpoint({
      ...common,
      method: 'get',
      path: '/webhooks/:id/deliveries',
      summary: 'List the deliveries of a webhook, newest first',
      params: idParamsSchema,
      query: pageQuerySchema,
      responses: { 200: { description: 'A page', schema: pageOf(deliverySchema) } },
      handler: async ({ actor, params: { id }, query }) => ({
        status: 200,
        body: await webhooks.deliveriesOf(actor, id, query)
      })
    }),
    endpoint({
      ...common,
      method: 'post',
      path: '/webhooks/:id/deliveries/:deliveryId/redeliver',
      summary: 'Send a delivery once more, as a new one',
      params: deliveryParamsSchema,
      responses: { 202: { description: 'The new delivery', schema: deliverySchema } },
      handler: async ({ actor, params: { id, deliveryId } }) => ({
        status: 202,
        body: await webhooks.redeliver(actor, id, deliveryId)
      })
    })
  ]
}
