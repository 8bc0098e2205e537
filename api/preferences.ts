/** Longest time an answer is held for `Prefer: wait`. */
const longestWaitSeconds = 30

/**
 * Seconds of `Prefer: wait=N` (RFC 7240, 4.3), or `undefined` when the request does not ask to wait.
 * Unknown and malformed preferences are ignored, as the RFC has it; more than 30 counts as 30.
 */
export function preferredWaitSeconds(header: string | string[] | undefined): number | undefined {
  const text = Array.isArray(header) ? header.join(',') : header
  if (!text) return undefined
  for (const preference of text.split(',')) {
    const match = /^\s*wait\s*=\s*(?:(\d{1,9})|"(\d{1,9})")\s*(?:;.*)?$/i.exec(preference)
    const value = match?.[1] ?? match?.[2]
    if (value !== undefined) return Math.min(Number(value), longestWaitSeconds)
  }
  return undefined
}
