import type { Response } from 'express'

/** That API's names for what the gate put on the answer, which is about the bucket with the smallest share left. */
const names = {
  'X-RateLimit-Limit': 'x-ratelimit-limit-requests',
  'X-RateLimit-Remaining': 'x-ratelimit-remaining-requests'
} as const

/** Says what is left of the rate limits in OpenAI's own fields, besides those of the platform. */
export function showRequestLimits(res: Response): void {
  for (const [ours, theirs] of Object.entries(names)) {
    const value = res.getHeader(ours)
    if (value !== undefined) res.set(theirs, String(value))
  }
  const reset = res.getHeader('X-RateLimit-Reset')
  if (reset !== undefined) res.set('x-ratelimit-reset-requests', durationOf(Number(reset)))
}

/** A time as that API writes it: `6m0s`. */
function durationOf(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60]
  const parts = [hours > 0 ? `${hours}h` : '', hours > 0 || minutes > 0 ? `${minutes}m` : '']
  return `${parts.join('')}${seconds % 60}s`
}
