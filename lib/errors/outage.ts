import { hasNetworkCode, soundsLikeNetwork } from './outages/network.ts'
import { mayBeRepaired, postgresVerdict } from './outages/postgres.ts'
import { isRedisOutage } from './outages/redis.ts'

const deepest = 5

/**
 * Whether an error, or what caused it, means that a service is away for now: the same request may succeed later. The one
 * list of what does, for answers (503), for jobs (another attempt), for settlements (tried until they are written) and
 * for everything that repeats.
 */
export function isOutage(error: unknown): boolean {
  return isAway(error, 0)
}

/** An outage, or trouble of the database that a person may end: for what is too dear to be given up at once. */
export const mayPass = (error: unknown): boolean => isOutage(error) || (error instanceof Error && mayBeRepaired(error))

function isAway(error: unknown, depth: number): boolean {
  if (!(error instanceof Error) || depth > deepest) return false
  // The network's codes first: EPIPE and SQLSTATE look alike.
  if (hasNetworkCode(error)) return true
  // What the database says is judged by its code alone: its words may quote what somebody wrote.
  const said = postgresVerdict(error)
  if (said !== undefined) return said
  return soundsLikeNetwork(error) || isRedisOutage(error) || causesOf(error).some((cause) => isAway(cause, depth + 1))
}

/** What stands behind an error: its cause, the members of several, and what ioredis keeps of a transaction or a cluster. */
function causesOf(error: Error): unknown[] {
  const { cause, errors, previousErrors, lastNodeError } = error as Error & Record<string, unknown>
  return [cause, lastNodeError, ...listOf(errors), ...listOf(previousErrors)]
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
