import type { Request, Response } from 'express'
import type { Decision } from '../../lib/gate/decision.ts'
import type { Gate } from '../../lib/gate/gate.ts'
import { loginSubject } from '../../lib/gate/keys.ts'
import { addressOf, enforce, showLimits } from './rate-limit.ts'

type Guess = {
  req: Request
  res: Response
  /** what let the request in so far, and whether that is still to be settled */
  decision: Decision
  open: boolean
  /** whose password is tried: an e-mail, or the id of who is logged in */
  who: string
}

export type GuessGuard = <T>(guess: Guess, check: () => Promise<T | undefined>) => Promise<T | undefined>

/**
 * Lets a password be tried. A token of address and account together is held while `check` looks, so that many tries at
 * once get no further than one after another; a right one gives it back. Failing from elsewhere locks nobody out.
 * @returns a function that gives what `check` gave: `undefined` is a wrong password; it throws 429 when there is no token
 */
export function createGuessGuard({ gate }: { gate: Gate }): GuessGuard {
  return async ({ req, res, decision, open, who }, check) => {
    const held = await gate.hold({ subject: loginSubject(addressOf(req), who), buckets: ['login_failed'] })
    const [bucket] = held.buckets
    if (!held.ok && bucket) {
      const refused = open ? await gate.settle(decision, bucket) : decision
      if (!open) await gate.refuse(decision, [bucket.name])
      enforce(res, {
        ...refused,
        ok: false,
        refusedBy: [bucket.name],
        retryAfterSeconds: Math.ceil(bucket.retryAfterMs / 1_000),
        buckets: [bucket, ...decision.buckets]
      })
    }
    showLimits(res, { ...decision, buckets: [...held.buckets, ...decision.buckets] })
    let found: Awaited<ReturnType<typeof check>> | undefined
    let failed = true
    try {
      found = await check()
      failed = found === undefined
    } catch (error) {
      await held.giveBack() // nothing was learnt about the password
      throw error
    }
    if (!failed) {
      await held.giveBack()
      showLimits(res, decision)
    }
    return found
  }
}
