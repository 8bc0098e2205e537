import type { RequestHandler, Response } from 'express'
import type { Actor } from '../../lib/access/actor.ts'
import type { Gate } from '../../lib/gate/gate.ts'
import { addressOf, enforce } from './rate-limit.ts'

type Holds = Pick<Gate, 'hold' | 'isDegraded'>

/**
 * Takes a token of the address for what is asked without a user. Nothing is written down about it: what monitors ask
 * every few seconds is no audit's business.
 */
export function addressLimit({ gate }: { gate: Holds }): RequestHandler {
  return async (req, res, next) => {
    await takeQuietly(gate, res, { subject: { kind: 'address', address: addressOf(req) }, buckets: ['address'] })
    next()
  }
}

/**
 * Takes an `api_call` of a user for what a page asks for by itself, without writing it down either.
 * @throws AppError 429
 */
export async function takeOfUser(gate: Holds, res: Response, { id }: Actor): Promise<void> {
  await takeQuietly(gate, res, { subject: { kind: 'user', id }, buckets: ['api_call'] })
}

async function takeQuietly(gate: Holds, res: Response, ask: Parameters<Gate['hold']>[0]): Promise<void> {
  const { ok, buckets } = await gate.hold(ask)
  const retryAfterSeconds = Math.ceil(Math.max(0, ...buckets.map(({ retryAfterMs }) => retryAfterMs)) / 1_000)
  const refusedBy = ok ? [] : buckets.map(({ name }) => name)
  enforce(res, { ok, degraded: gate.isDegraded(), buckets, refusedBy, retryAfterSeconds })
}
