const longestMs = 10 * 60_000

/**
 * Wait before the next attempt: exponential with "equal jitter" (half fixed, half random), so that jobs which failed
 * together do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter").
 * @param attempt the attempt that failed, from 1
 * @param baseMs wait after the first attempt before jitter; doubles with each attempt up to ten minutes
 * @param atLeastMs what the provider asked for in `Retry-After`: a lower bound
 */
export function backoffMs(
  { attempt, baseMs, atLeastMs = 0 }: { attempt: number; baseMs: number; atLeastMs?: number | undefined },
  random: () => number = Math.random
): number {
  const full = Math.min(baseMs * 2 ** (attempt - 1), longestMs)
  return Math.max(Math.round(full / 2 + (random() * full) / 2), atLeastMs)
}
