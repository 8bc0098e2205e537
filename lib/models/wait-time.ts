/** The longest time that a provider's word keeps a model from being asked; what is told beyond it is told again then. */
export const longestPauseMs = 5 * 60_000
/** A time further away than this was no time to wait: an epoch, or a number in another unit. */
const longestBelievableMs = 7 * 24 * 3_600_000

/**
 * How long a provider asks not to be called, of what servers send, the most exact first:
 * - `retry-after-ms` (Azure, OpenAI);
 * - `retry-after`, seconds or a date (RFC 9110, 10.2.3), fractions of seconds too;
 * - on 429 alone, when a limit will be whole again: `x-ratelimit-reset-requests` and `-tokens` as a duration (`6m0s`,
 *   `500ms`: OpenAI, Groq) or seconds (Azure), `x-ratelimit-reset` as an instant (OpenRouter: ms since 1970) or seconds.
 * @returns ms, above 0 and at most `longestPauseMs`; `undefined` for none, and for one that cannot be meant: zero,
 *   negative, past, further away than a week, or no number
 */
export function askedWaitMs(
  headers: Pick<Headers, 'get'> | undefined,
  status: number,
  now: number = Date.now()
): number | undefined {
  if (!headers) return undefined
  const told =
    believable(plainNumber(headers.get('retry-after-ms'))) ??
    believable(secondsOrDate(headers.get('retry-after'), now)) ??
    (status === 429 ? untilReset(headers, now) : undefined)
  return told === undefined ? undefined : Math.min(told, longestPauseMs)
}

function believable(ms: number | undefined): number | undefined {
  return ms !== undefined && ms > 0 && ms <= longestBelievableMs ? Math.ceil(ms) : undefined
}

function plainNumber(text: string | null): number | undefined {
  return text !== null && /^\s*\d{1,15}(?:\.\d{1,9})?\s*$/.test(text) ? Number(text) : undefined
}

function secondsOrDate(text: string | null, now: number): number | undefined {
  const seconds = plainNumber(text)
  if (seconds !== undefined) return seconds * 1_000
  // the three forms of a date begin with the name of a day; Date.parse alone would take nearly anything for one
  if (text === null || text.length > 40 || !/^\s*(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at - now
}

/** The limit that is used up decides; when none says so, the one that takes longest. */
function untilReset(headers: Pick<Headers, 'get'>, now: number): number | undefined {
  const limits = ['-requests', '-tokens', ''].map((name) => ({
    isUsedUp: plainNumber(headers.get(`x-ratelimit-remaining${name}`)) === 0,
    ms: believable(durationOrInstant(headers.get(`x-ratelimit-reset${name}`), now))
  }))
  const deciding = limits.some(({ isUsedUp }) => isUsedUp) ? limits.filter(({ isUsedUp }) => isUsedUp) : limits
  const times = deciding.flatMap(({ ms }) => ms ?? [])
  return times.length > 0 ? Math.max(...times) : undefined
}

const unitMs: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }

function durationOrInstant(text: string | null, now: number): number | undefined {
  if (text === null) return undefined
  const plain = plainNumber(text)
  if (plain !== undefined) {
    if (plain >= 1e12) return plain - now
    return plain >= 1e9 ? plain * 1_000 - now : plain * 1_000
  }
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?(?:h|ms|m|s)){1,4}$/.test(text)) return undefined
  return [...text.matchAll(/([\d.]+)(h|ms|m|s)/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (unitMs[unit as string] as number),
    0
  )
}
