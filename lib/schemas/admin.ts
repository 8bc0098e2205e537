import { z } from 'zod'
import { parseUsd } from '../money.ts'
import { gateActionSchema } from '../actions/actions.ts'
import { idFilterSchema, limitOf, limitSchema } from './page.ts'
import { suspiciousCodes } from './suspicious.ts'
import { textSchema, timeSchema } from './text.ts'

export const outcomeSchema = z.enum(['allowed', 'blocked', 'degraded'])

/** Decimal USD of at most twelve decimals, as text or number. Read as exact pico-USD. */
const usdSchema = z.union([z.string(), z.number()]).transform((value, context) => {
  try {
    return parseUsd(value)
  } catch {
    context.addIssue({ code: 'custom', message: 'must be a decimal number of USD, 0 or more' })
    return z.NEVER
  }
})

const range = { from: timeSchema.optional(), to: timeSchema.optional() }
const rangeInOrder = ({ from, to }: { from?: string | undefined; to?: string | undefined }) =>
  from === undefined || to === undefined || from <= to
const rangeError = { error: 'must not be after to', path: ['from'] }

/** A place in the audits: they are ordered by time and id, so a cursor holds both. */
const auditCursorSchema = z
  .string()
  .max(200)
  .transform((text, context) => {
    const match = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) ([0-9a-f-]{36})$/.exec(Buffer.from(text, 'base64url').toString())
    if (match) return { createdAt: match[1] as string, id: match[2] as string }
    context.addIssue({ code: 'custom', message: 'is not a cursor that a list gave out' })
    return z.NEVER
  })
export const encodeAuditCursor = ({ createdAt, id }: { createdAt: string; id: string }): string =>
  Buffer.from(`${createdAt} ${id}`).toString('base64url')

export const auditQuerySchema = z
  .strictObject({
    userId: idFilterSchema.optional(),
    action: gateActionSchema.optional(),
    outcome: outcomeSchema.optional(),
    ...range,
    limit: limitSchema,
    cursor: auditCursorSchema.optional()
  })
  .refine(rangeInOrder, rangeError)
export type AuditQuery = z.output<typeof auditQuerySchema>

export const auditSchema = z
  .object({
    id: z.uuid(),
    userId: z.uuid().nullable(),
    action: gateActionSchema,
    outcome: outcomeSchema,
    method: z.string().nullable(),
    path: z.string().nullable(),
    ip: z.string().nullable(),
    userAgent: z.string().nullable(),
    jobId: z.uuid().nullable(),
    model: z.string().nullable(),
    promptTokens: z.int().nullable(),
    completionTokens: z.int().nullable(),
    totalTokens: z.int().nullable(),
    costUsd: z.string().nullable(),
    latencyMs: z.int().nullable(),
    createdAt: z.iso.datetime(),
    refusedBy: z.array(z.string()).describe('buckets that refused it, or `budget`'),
    repeats: z.int().describe('further refused requests of the minute that this row stands for')
  })
  .meta({ id: 'Audit' })
export type AuditView = z.infer<typeof auditSchema>

export const statisticsQuerySchema = z
  .strictObject({
    userId: idFilterSchema.optional(),
    ...range,
    bucket: z.enum(['minute', 'hour', 'day']).default('hour')
  })
  .refine(rangeInOrder, rangeError)

const tokens = { promptTokens: z.int(), completionTokens: z.int(), totalTokens: z.int(), costUsd: z.string() }
const totals = {
  requests: z.int(),
  allowed: z.int(),
  blocked: z.int(),
  degraded: z.int(),
  blockedRate: z.number(),
  ...tokens
}
export const statisticsSchema = z
  .object({
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    totals: z.object(totals),
    byAction: z.array(z.object({ action: gateActionSchema, ...totals })),
    byModel: z.array(z.object({ model: z.string(), calls: z.int(), ...tokens })),
    timeline: z.array(
      z.object({ at: z.iso.datetime(), requests: z.int(), blocked: z.int(), totalTokens: z.int(), costUsd: z.string() })
    )
  })
  .meta({ id: 'RateLimitStatistics' })
export type Statistics = z.infer<typeof statisticsSchema>

export const consumersQuerySchema = z
  .strictObject({
    by: z.enum(['requests', 'tokens', 'cost', 'blocked']).default('requests'),
    ...range,
    limit: limitOf(10)
  })
  .refine(rangeInOrder, rangeError)
export const consumersSchema = z.object({
  data: z.array(
    z.object({
      userId: z.uuid(),
      email: z.string(),
      requests: z.int(),
      blocked: z.int(),
      totalTokens: z.int(),
      costUsd: z.string()
    })
  )
})

export const suspiciousQuerySchema = z.strictObject(range).refine(rangeInOrder, rangeError)
export const suspiciousSchema = z.object({
  data: z.array(
    z.object({
      userId: z.uuid(),
      score: z.number(),
      reasons: z.array(z.object({ code: z.enum(suspiciousCodes), observed: z.number(), threshold: z.number() }))
    })
  )
})

const limitNumbers = { limitPerMinute: z.number().min(0.001).max(1_000_000), burst: z.number().min(1).max(100) }
export const limitSettingSchema = z.strictObject({ action: gateActionSchema, ...limitNumbers })
export const limitViewSchema = z.object({ action: gateActionSchema, ...limitNumbers, capacity: z.int() })
export const limitStatusSchema = z.object({
  userId: z.uuid(),
  limits: z.array(limitViewSchema.extend({ remaining: z.int(), retryAfterMs: z.int() }))
})
export const limitConfigSchema = z.object({ actions: z.array(limitViewSchema) })
export const limitResetSchema = z.strictObject({ action: gateActionSchema.optional() })
export const limitResetResultSchema = z.object({ userId: z.uuid(), reset: z.array(gateActionSchema) })

/** Kept as a 64-bit number of pico-USD, with room for what is spent beside it. */
const budgetUsdSchema = usdSchema.refine((pico) => pico <= parseUsd(1_000_000), 'must be at most 1000000 USD')
export const budgetInputSchema = z.strictObject({
  dailyUsd: budgetUsdSchema.nullable(),
  monthlyUsd: budgetUsdSchema.nullable()
})
export type BudgetInput = z.output<typeof budgetInputSchema>
export const budgetSchema = z
  .object({ dailyUsd: z.string().nullable(), monthlyUsd: z.string().nullable() })
  .meta({ id: 'Budget' })

/** USD for a million tokens: at most six decimals, so that a token costs a whole number of pico-USD. */
const pricePerMillion = usdSchema
  .refine((pico) => pico % 1_000_000n === 0n, 'must have at most six decimals')
  .refine((pico) => pico <= parseUsd(100_000), 'must be at most 100000 USD')
export const priceInputSchema = z.strictObject({
  model: textSchema.trim().min(1).max(200),
  inputPerMillion: pricePerMillion,
  cachedInputPerMillion: pricePerMillion.optional(),
  outputPerMillion: pricePerMillion,
  validFrom: timeSchema
})
export type PriceInput = z.output<typeof priceInputSchema>
export const priceSchema = z
  .object({
    id: z.uuid(),
    model: z.string(),
    inputPerMillion: z.string(),
    cachedInputPerMillion: z.string(),
    outputPerMillion: z.string(),
    validFrom: z.iso.datetime(),
    createdAt: z.iso.datetime()
  })
  .meta({ id: 'Price' })
export type PriceView = z.infer<typeof priceSchema>
