import { z } from 'zod'
import { didYouMean } from '../text/spelling.ts'
import { canMatch, eventTypes } from './event-types.ts'
import { textSchema } from './text.ts'

/** Where news is posted to. Which addresses are refused depends on the installation, see `lib/webhooks/targets.ts`. */
const urlSchema = textSchema.max(2_000).superRefine((text, context) => {
  const complain = (message: string) => context.addIssue({ code: 'custom', message })
  if (!URL.canParse(text)) return complain('must be a URL')
  const { protocol, username, password, hash } = new URL(text)
  if (protocol !== 'https:' && protocol !== 'http:') complain('must begin with https:// or http://')
  if (username || password) complain('must not contain credentials')
  if (hash) complain('must not contain a fragment')
})

/** `*`: everything; `goal.*`: whatever begins so; or a type. */
const patternSchema = z
  .string()
  .max(200)
  .regex(/^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?)$/, 'must be a type, its beginning and ".*", or "*"')
  .superRefine((pattern, context) => {
    if (canMatch(pattern)) return
    const near = didYouMean(pattern, eventTypes)
    const hint = near ? `; did you mean "${near}"?` : '; docs/events.md has them all'
    context.addIssue({ code: 'custom', message: `there is no event of this type${hint}` })
  })

/** Standard Webhooks: 24 to 64 random bytes as base64 after `whsec_`. */
const secretSchema = z.string().refine((text) => {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? []
  const bytes = encoded === undefined ? Buffer.alloc(0) : Buffer.from(encoded, 'base64')
  return bytes.length >= 24 && bytes.length <= 64 && bytes.toString('base64') === encoded
}, 'must be "whsec_" and 24 to 64 bytes as base64')

const eventsSchema = z.array(patternSchema).min(1).max(50)

export const webhookCreateSchema = z
  .strictObject({ url: urlSchema, events: eventsSchema, secret: secretSchema.optional() })
  .meta({ id: 'WebhookCreate' })
export type WebhookCreate = z.infer<typeof webhookCreateSchema>

export const webhookPatchSchema = z
  .strictObject({
    url: urlSchema.optional(),
    events: eventsSchema.optional(),
    secret: secretSchema.optional(),
    enabled: z.boolean().optional()
  })
  .meta({ id: 'WebhookPatch' })
export type WebhookPatch = z.infer<typeof webhookPatchSchema>

export const webhookSchema = z
  .object({
    id: z.uuid(),
    url: z.string(),
    events: z.array(z.string()),
    enabled: z.boolean(),
    disabledReason: z.literal('gone').nullable().describe('`gone`: it answered 410'),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime()
  })
  .meta({ id: 'Webhook' })
export type WebhookView = z.infer<typeof webhookSchema>

export const createdWebhookSchema = webhookSchema
  .extend({ secret: z.string().describe('checks signatures; shown only now') })
  .meta({ id: 'CreatedWebhook' })

/** Why an attempt failed when there was no answer, or why there will be no further one. */
export const deliveryErrors = [
  'address_refused',
  'unknown_host',
  'timeout',
  'tls',
  'connection',
  'status',
  'disabled'
] as const

export const deliverySchema = z
  .object({
    id: z.uuid(),
    webhookId: z.uuid(),
    eventId: z.uuid().describe('also the `webhook-id` that is sent'),
    eventType: z.string(),
    position: z.int(),
    status: z.enum(['pending', 'delivered', 'failed']),
    attempts: z.int(),
    nextAttemptAt: z.iso.datetime().nullable(),
    responseStatus: z.int().nullable().describe('of the last attempt; bodies of answers are not kept'),
    error: z.enum(deliveryErrors).nullable(),
    redeliveryOf: z.uuid().nullable(),
    createdAt: z.iso.datetime(),
    deliveredAt: z.iso.datetime().nullable()
  })
  .meta({ id: 'WebhookDelivery' })
export type DeliveryView = z.infer<typeof deliverySchema>
export type DeliveryError = (typeof deliveryErrors)[number]
