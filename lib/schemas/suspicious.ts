import { z } from 'zod'

/** What makes an account suspicious: the code of each rule, and the numbers it goes by. */
export const suspiciousCodes = [
  'blocked_share',
  'blocked_burst',
  'many_addresses',
  'shared_address',
  'token_spike',
  'cost_spike',
  'failed_logins'
] as const
export type SuspiciousCode = (typeof suspiciousCodes)[number]

/** `SUSPICIOUS_THRESHOLDS`: any of the rules' numbers. A share is a part of one, `cost_spike` is in USD. */
export const thresholdsSchema = z.strictObject({
  /** more than this share of the requests refused… */
  blocked_share: z.number().gt(0).lt(1).default(0.5),
  /** …of at least so many */
  blocked_share_requests: z.number().int().positive().default(20),
  /** so many refused within a minute */
  blocked_burst: z.number().int().positive().default(30),
  /** so many addresses of one user within an hour */
  many_addresses: z.number().int().positive().default(10),
  /** so many users of one address within an hour */
  shared_address: z.number().int().positive().default(20),
  /** so many tokens in a day… */
  token_spike: z.number().positive().default(10_000),
  /** …so much money in a day… */
  cost_spike: z.number().positive().default(0.1),
  /** …and more than so many times the user's own mean of the week before */
  spike_factor: z.number().positive().default(5),
  /** so many wrong passwords within ten minutes */
  failed_logins: z.number().int().positive().default(10)
})
export type Thresholds = z.output<typeof thresholdsSchema>
