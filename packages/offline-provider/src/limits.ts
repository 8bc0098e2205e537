import { Refusal, retryAfterHeaders } from './errors.ts'

export type Limits = {
  /** Per model; null: not limited. */
  requestsPerMinute: number | null
  tokensPerMinute: number | null
}

/** What the headers say when nothing is limited. */
const UNLIMITED = { requests: 30_000, tokens: 150_000_000 }

type Bucket = { left: number; at: number }

export type Limiter = ReturnType<typeof createLimiter>

/** Requests and tokens per minute for each model, as buckets that fill evenly and hold one minute's worth. */
export function createLimiter(now: () => number) {
  const buckets = new Map<string, Bucket>()

  function bucket(name: string, perMinute: number): Bucket {
    const at = now()
    const known = buckets.get(name) ?? { left: perMinute, at }
    known.left = Math.min(perMinute, known.left + ((at - known.at) * perMinute) / 60_000)
    known.at = at
    buckets.set(name, known)
    return known
  }

  return {
    /**
     * Takes one request and its tokens from the model's buckets, both or neither.
     * @returns the `x-ratelimit-*` headers of the answer
     * @throws {Refusal} 429 with `retry-after` and `retry-after-ms`
     */
    take(model: string, tokens: number, limits: Limits): Record<string, string> {
      const wanted = [
        { name: 'requests', unit: 'requests per min (RPM)', limit: limits.requestsPerMinute, amount: 1 },
        { name: 'tokens', unit: 'tokens per min (TPM)', limit: limits.tokensPerMinute, amount: tokens }
      ] as const
      const held = wanted.map((want) => ({
        ...want,
        bucket: want.limit === null ? null : bucket(`${model} ${want.name}`, want.limit)
      }))
      for (const { bucket: from, limit, amount, name, unit } of held) {
        if (!from || limit === null || from.left >= amount) continue
        throw tooMany({ model, name, unit, limit, amount, left: from.left, headers: headersOf(held) })
      }
      for (const { bucket: from, amount } of held) if (from) from.left -= amount
      return headersOf(held)
    },
    clear: (): void => buckets.clear()
  }
}

type Held = { name: 'requests' | 'tokens'; limit: number | null; bucket: Bucket | null }

function headersOf(held: readonly Held[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const { name, limit, bucket } of held) {
    const full = limit ?? UNLIMITED[name]
    const left = bucket ? bucket.left : full
    headers[`x-ratelimit-limit-${name}`] = String(full)
    headers[`x-ratelimit-remaining-${name}`] = String(Math.max(0, Math.floor(left)))
    headers[`x-ratelimit-reset-${name}`] = duration(((full - left) / full) * 60_000)
  }
  return headers
}

type Short = {
  model: string
  name: string
  unit: string
  limit: number
  amount: number
  left: number
  headers: Record<string, string>
}

function tooMany({ model, name, unit, limit, amount, left, headers }: Short): Refusal {
  const used = Math.ceil(limit - left)
  if (amount > limit) {
    const message =
      `Request too large for ${model} in organization offline on ${unit}: Limit ${limit}, Requested ${amount}. ` +
      'The input or output tokens must be reduced in order to run successfully.'
    return new Refusal(429, { message, type: name, param: null, code: 'rate_limit_exceeded' }, headers)
  }
  const waitMs = ((amount - left) * 60_000) / limit
  const message =
    `Rate limit reached for ${model} in organization offline on ${unit}: Limit ${limit}, Used ${used}, ` +
    `Requested ${amount}. Please try again in ${duration(waitMs)}.`
  const error = { message, type: name, param: null, code: 'rate_limit_exceeded' }
  return new Refusal(429, error, { ...headers, ...retryAfterHeaders(waitMs) })
}

/** As the API writes spans of time: `6ms`, `1.5s`, `1m2.5s`. */
function duration(ms: number): string {
  if (ms < 1_000) return `${Math.ceil(ms)}ms`
  const minutes = Math.floor(ms / 60_000)
  const seconds = ((ms % 60_000) / 1_000).toFixed(3).replace(/\.?0+$/, '')
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`
}
