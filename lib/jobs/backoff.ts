const longestMs = 10 * 60_000
/** A wait that takes no attempt grows to this, so that a job which waits for long asks seldom. */
const longestGrownWaitMs = 5 * 60_000
/** What is added to a wait that was told, at most, so that those who were told together do not come back together. */
const spread = 0.25

/**
 * Wait before the next attempt: exponential with "equal jitter" (half fixed, half random), so that jobs which failed
 * together do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter").
 * @param attempt the attempt that failed, from 1
 * @param baseMs wait after the first attempt before jitter; doubles with each attempt up to ten minutes
 * @param atLeastMs what the provider asked for in `Retry-After`: a lower bound, to which up to a quarter is added
 * @param waitedMs how long the job has waited without using up attempts: it waits a quarter of that at least, up to
 *   five minutes
 */
export function backoffMs(
  {
    attempt,
    baseMs,
    atLeastMs = 0,
    waitedMs = 0
  }: { attempt: number; baseMs: number; atLeastMs?: number | undefined; waitedMs?: number },
  random: () => number = Math.random
): number {
  const full = Math.min(baseMs * 2 ** (attempt - 1), longestMs)
  const own = Math.round(full / 2 + (random() * full) / 2)
  const told = Math.max(atLeastMs, Math.min(waitedMs / 4, longestGrownWaitMs))
  return Math.max(own, Math.round(told * (1 + random() * spread)))
}
