import type { RequestHandler } from 'express'
import type { Gate } from '../../lib/gate/gate.ts'
import { addressOf, enforce } from './rate-limit.ts'

/**
 * Takes a token of the address for what is asked without a user. Nothing is written down about it: what monitors ask
 * every few seconds is no audit's business.
 */
export function addressLimit({ gate }: { gate: Gate }): RequestHandler {
  return async (req, res, next) => {
    const { ok, buckets } = await gate.hold({
      subject: { kind: 'address', address: addressOf(req) },
      buckets: ['address']
    })
    const retryAfterSeconds = Math.ceil(Math.max(0, ...buckets.map(({ retryAfterMs }) => retryAfterMs)) / 1_000)
    enforce(res, { ok, degraded: gate.isDegraded(), buckets, refusedBy: ok ? [] : ['address'], retryAfterSeconds })
    next()
  }
}
