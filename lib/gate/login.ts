import type { Decision, RequestFacts } from './decision.ts'
import type { Gate } from './gate.ts'
import { loginSubject } from './keys.ts'

/** A login that may go on: say how it ended, and nothing else has to be done for its decision. */
export type LoginAttempt = { decision: Decision; succeeded(): Promise<void>; failed(): Promise<void> }

/**
 * Lets a login try its password: a token of the address (`auth`) is spent, and one of address and e-mail together
 * (`login_failed`) is taken before the password is looked at, so that many tries at once get no further than one after
 * another, and given back when it was right. Someone elsewhere who fails on purpose empties a bucket of their own.
 * @returns an attempt whose `decision.ok` is false when it may not go on; it is then finished
 */
export async function beginLogin(
  gate: Gate,
  { address, email, request }: { address: string; email: string; request: RequestFacts }
): Promise<LoginAttempt> {
  const decision = await gate.admit({ subject: { kind: 'address', address }, buckets: ['auth'], request })
  const nothing = async () => {}
  if (!decision.ok) return { decision, succeeded: nothing, failed: nothing }

  const guess = await gate.hold({ subject: loginSubject(address, email), buckets: ['login_failed'] })
  const { buckets } = guess
  if (!guess.ok) return { decision: await gate.settle(decision, buckets[0]), succeeded: nothing, failed: nothing }

  const attempt = { ...decision, buckets: [...buckets, ...decision.buckets] }
  return {
    decision: attempt,
    async succeeded() {
      await Promise.all([guess.giveBack(), gate.settle(decision)])
    },
    async failed() {
      await gate.settle(decision)
    }
  }
}
