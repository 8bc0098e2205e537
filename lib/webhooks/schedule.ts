const second = 1_000
const minute = 60 * second
const hour = 60 * minute

/** Waits between attempts, as the Standard Webhooks specification gives them: ten attempts in a little over three days. */
const waitsMs = [5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour]

/** Longest wait that a receiver's `Retry-After` can ask for. */
const mostMs = 24 * hour

/**
 * The wait before the next attempt, with up to a tenth added so that retries do not come all at once.
 * @param failed attempts so far
 * @param retryAfterMs what the receiver asked for; shortens nothing
 * @returns ms, or `undefined` when there is no further attempt
 */
export function nextWaitMs(failed: number, retryAfterMs = 0, random: () => number = Math.random): number | undefined {
  const wait = waitsMs[failed - 1]
  if (wait === undefined) return undefined
  return Math.round(Math.max(wait * (1 + random() / 10), Math.min(retryAfterMs, mostMs)))
}
