import { fullLevel, unitsPerToken } from './bucket.ts'
import type { BucketLimit } from './limits.ts'

/** What a call does to a bucket; `take.lua` says what each means. */
export type BucketVerb = 'take' | 'guard' | 'hold' | 'look' | 'held' | 'give'
export type BucketCall = { key: string; verb: BucketVerb; limit: BucketLimit; cost: number }

/** What Redis must be told of a bucket: units, and what of them had not been refilled. */
export type BucketDebt = { key: string; limit: BucketLimit; granted: number; unfilled: number }

const takes = (verb: BucketVerb) => verb === 'take' || verb === 'hold' || verb === 'guard'

type Bucket = {
  limit: BucketLimit
  level: number
  at: number
  granted: number
  /** in shares, so that dividing is left to the end */
  unfilledShares: number
}

/**
 * The buckets of one process, for the time Redis is away: the same buckets, in which a token weighs as many tokens as
 * there are processes, so each grants its part of the limit. They begin as Redis last showed them, or full, and
 * remember what they granted so that Redis can be told.
 *
 * @param size how many are remembered; the one not used for longest is forgotten first, with what it granted
 */
export function createLocalBuckets(size: number) {
  const buckets = new Map<string, Bucket>()

  function put(key: string, bucket: Bucket) {
    buckets.delete(key)
    buckets.set(key, bucket)
    if (buckets.size <= size) return
    for (const oldest of buckets.keys()) {
      buckets.delete(oldest)
      break
    }
  }

  function refill(key: string, limit: BucketLimit, now: number, shares: number): Bucket {
    const full = fullLevel(limit, shares)
    const known = buckets.get(key)
    if (!known) return { limit, level: full, at: now, granted: 0, unfilledShares: 0 }
    const gained = Math.floor(Math.max(0, now - known.at) * limit.limitPerMinute)
    return {
      limit,
      level: Math.min(full, known.level + gained),
      at: now,
      granted: known.granted,
      unfilledShares: Math.max(0, known.unfilledShares - gained)
    }
  }

  function grant(bucket: Bucket, tokens: number, shares: number) {
    const weight = tokens * unitsPerToken * shares
    bucket.level -= weight
    bucket.granted = Math.max(0, bucket.granted + tokens * unitsPerToken)
    bucket.unfilledShares = Math.max(0, bucket.unfilledShares + weight)
  }

  return {
    /** Keeps in mind how full Redis said a bucket was. Nothing granted here is open any more when it is called. */
    remember(key: string, limit: BucketLimit, level: number, now: number) {
      put(key, { limit, level, at: now, granted: 0, unfilledShares: 0 })
    },

    /** Decides as the script would, all or none. Levels are in units of which a token has `unitsPerToken × shares`. */
    apply(calls: BucketCall[], now: number, shares: number): { ok: boolean; levels: number[] } {
      const found = calls.map((call) => ({ call, bucket: refill(call.key, call.limit, now, shares) }))
      const ok = found.every(
        ({ call, bucket }) => !takes(call.verb) || bucket.level >= call.cost * unitsPerToken * shares
      )
      for (const { call, bucket } of found) {
        if (ok && takes(call.verb)) grant(bucket, call.cost, shares)
        if (call.verb === 'give' || (call.verb === 'held' && !ok)) {
          grant(bucket, -call.cost, shares)
          bucket.level = Math.min(bucket.level, fullLevel(call.limit, shares))
        }
        put(call.key, bucket)
      }
      return { ok, levels: found.map(({ bucket }) => bucket.level) }
    },

    /** Redis took these tokens after all, so they are not owed any more. */
    forgive(calls: BucketCall[], shares: number) {
      for (const { key, verb, cost } of calls) {
        const bucket = buckets.get(key)
        if (!bucket || !takes(verb)) continue
        bucket.granted = Math.max(0, bucket.granted - cost * unitsPerToken)
        bucket.unfilledShares = Math.max(0, bucket.unfilledShares - cost * unitsPerToken * shares)
      }
    },

    /** Takes out what Redis must be told; what cannot be delivered is to be put back with `owe`. */
    collect(now: number, shares: number, most: number): BucketDebt[] {
      const debts: BucketDebt[] = []
      for (const [key, { limit, granted }] of buckets) {
        if (granted === 0) continue
        if (debts.length === most) break
        const bucket = refill(key, limit, now, shares)
        debts.push({ key, limit, granted, unfilled: Math.ceil(bucket.unfilledShares / shares) })
        buckets.set(key, { ...bucket, granted: 0, unfilledShares: 0 })
      }
      return debts
    },

    owe({ key, limit, granted, unfilled }: BucketDebt, now: number, shares: number) {
      const bucket = refill(key, limit, now, shares)
      bucket.granted += granted
      bucket.unfilledShares += unfilled * shares
      put(key, bucket)
    },

    forget(key: string) {
      buckets.delete(key)
    }
  }
}
