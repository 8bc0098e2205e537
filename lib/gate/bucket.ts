import { type BucketLimit, type BucketName, bucketCapacity } from './limits.ts'

/**
 * A token is 60,000,000 units, because then a bucket of `limitPerMinute` gains exactly that many units each microsecond:
 * every level is a whole number and nothing is ever rounded (down to a unit when `limitPerMinute` is a fraction).
 * Levels stay below 2^53 (150 million tokens).
 */
export const unitsPerToken = 60_000_000

/** One bucket as the outside may see it. Times say how long from the moment of the decision. */
export type BucketState = {
  name: BucketName
  /** whole tokens a full bucket holds */
  capacity: number
  /** seconds in which an empty bucket fills, rounded up */
  windowSeconds: number
  /** whole tokens left */
  remaining: number
  /** seconds to the next whole token, rounded up; 0 when full */
  resetSeconds: number
  /** milliseconds until the cost asked for is there, rounded up; 0 when it is */
  retryAfterMs: number
}

/** A full bucket in units. With `shares`, the part of one of so many processes, which holds at least one token. */
export function fullLevel(limit: BucketLimit, shares = 1): number {
  return Math.max(bucketCapacity(limit), shares) * unitsPerToken
}

/**
 * Turns a level into what is told to clients.
 * @param level units in the bucket, below zero when a debt was booked on it
 * @param cost whole tokens the request asks for
 * @param shares processes among which the bucket is divided: there a token weighs `shares` times as many units
 */
export function describeBucket(name: BucketName, limit: BucketLimit, level: number, cost = 1, shares = 1): BucketState {
  const token = unitsPerToken * shares
  const full = fullLevel(limit, shares)
  const capacity = Math.floor(full / token)
  const remaining = Math.min(capacity, Math.max(0, Math.floor(level / token)))
  const { limitPerMinute } = limit
  return {
    name,
    capacity,
    windowSeconds: Math.ceil(full / limitPerMinute / 1_000_000),
    remaining,
    resetSeconds:
      remaining >= capacity ? 0 : Math.ceil(((remaining + 1) * token - level) / (limitPerMinute * 1_000_000)),
    retryAfterMs: level >= cost * token ? 0 : Math.ceil((cost * token - level) / (limitPerMinute * 1_000))
  }
}
