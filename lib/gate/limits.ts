import { z } from 'zod'
import { forEachAction, gateActions } from '../actions/actions.ts'

/**
 * Buckets that are not one user's: by address without a credential, by address on the token and register routes, by
 * address and e-mail, and by address for the AI actions of all its users together.
 */
const addressBuckets = ['address', 'auth', 'login_failed', 'address_ai'] as const
const bucketNames = [...gateActions, ...addressBuckets] as const

export type BucketName = (typeof bucketNames)[number]

/** Tokens a minute, and how many times that many a full bucket holds. The ceilings keep the script within 2^53. */
const bucketLimitSchema = z.strictObject({
  limitPerMinute: z.number().min(0.001).max(1_000_000),
  burst: z.number().positive().max(100)
})
export type BucketLimit = z.infer<typeof bucketLimitSchema>
export type GateLimits = Record<BucketName, BucketLimit>

/** `RATE_LIMITS`: any bucket, any of its two numbers; what is left out keeps its default. A bare number is the first. */
export const rateLimitsSchema = z.partialRecord(
  z.enum(bucketNames),
  z.preprocess(
    (value) => (typeof value === 'number' ? { limitPerMinute: value } : value),
    bucketLimitSchema.partial().refine((change) => Object.keys(change).length > 0, 'must have limitPerMinute or burst')
  )
)

export const defaultLimits: GateLimits = {
  api_call: { limitPerMinute: 100, burst: 1.5 },
  ...forEachAction(({ rateLimit }) => rateLimit),
  address: { limitPerMinute: 60, burst: 1 },
  auth: { limitPerMinute: 30, burst: 1 },
  login_failed: { limitPerMinute: 10, burst: 1 },
  address_ai: { limitPerMinute: 600, burst: 1 }
}

/** @returns `limits` with the numbers of `changes` (the parsed `RATE_LIMITS`) put over them */
export function mergeLimits(limits: GateLimits, changes: z.infer<typeof rateLimitsSchema>): GateLimits {
  const merged = { ...limits }
  for (const name of bucketNames) {
    const change = changes[name]
    if (!change) continue
    merged[name] = {
      limitPerMinute: change.limitPerMinute ?? limits[name].limitPerMinute,
      burst: change.burst ?? limits[name].burst
    }
  }
  return merged
}

/**
 * @returns the whole tokens a full bucket holds, at least one: `limit × burst`, rounded down.
 * The small addend keeps 10 × 1.1 (11.000000000000002 or 10.999999999999998) what the table says it is.
 */
export function bucketCapacity({ limitPerMinute, burst }: BucketLimit): number {
  return Math.max(1, Math.floor(limitPerMinute * burst + 1e-6))
}
