import { notFound } from '../errors/app-error.ts'
import type { Gate } from '../gate/gate.ts'
import { type BucketLimit, bucketCapacity, type GateLimits } from '../gate/limits.ts'
import { type GateAction, gateActions } from '../actions/actions.ts'
import type { LiveOverrides } from './limit-overrides.ts'
import type { RequireUser } from './require-user.ts'

export type LimitAdmin = ReturnType<typeof createLimitAdmin>

const toView = (action: GateAction, limit: BucketLimit) => ({
  action,
  limitPerMinute: limit.limitPerMinute,
  burst: limit.burst,
  capacity: bucketCapacity(limit)
})

/** What administrators may see and do with the limits of the six actions. Unknown users are a 404. */
export function createLimitAdmin({
  gate,
  configured,
  overrides,
  mustExist
}: {
  gate: Gate
  /** the limits that hold for everyone without limits of their own */
  configured: GateLimits
  overrides: LiveOverrides
  mustExist: RequireUser
}) {
  return {
    config: () => ({ actions: gateActions.map((action) => toView(action, configured[action])) }),

    /** Looks without taking: what the user's next request would find. */
    async status(userId: string) {
      await mustExist(userId)
      const limits = gate.limitsOf(userId)
      const buckets = await gate.peek({ subject: { kind: 'user', id: userId }, buckets: [...gateActions] })
      return {
        userId,
        limits: gateActions.map((action, index) => ({
          ...toView(action, limits[action]),
          remaining: buckets[index]?.remaining ?? 0,
          retryAfterMs: buckets[index]?.retryAfterMs ?? 0
        }))
      }
    },

    /** Fills buckets up. @throws GateUnavailableError while Redis is away */
    async reset(userId: string, action: GateAction | undefined) {
      await mustExist(userId)
      const buckets = action === undefined ? [...gateActions] : [action]
      await gate.reset({ subject: { kind: 'user', id: userId }, buckets })
      return { userId, reset: buckets }
    },

    /** Limits of the user's own, in force in every process at once. */
    async put(userId: string, action: GateAction, { limitPerMinute, burst }: BucketLimit) {
      await mustExist(userId)
      await overrides.put({ userId, action, limitPerMinute, burst })
      return toView(action, { limitPerMinute, burst })
    },

    /** Back to the configured limits. @throws AppError 404 when the user has none of their own for the action */
    async remove(userId: string, action: GateAction): Promise<void> {
      await mustExist(userId)
      if (!(await overrides.remove(userId, action))) throw notFound('a limit of this user for this action')
    }
  }
}
