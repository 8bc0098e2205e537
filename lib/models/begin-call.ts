import { newId } from '../ids.ts'
import { type Booking, type Bookings, emptySettlement } from './booking.ts'
import type { ProviderGuard } from './provider-guard.ts'

/**
 * Lets a call through the guard and commits its intent. A call that is not sent after all settles at no cost and frees
 * its place in the guard.
 * @param tokens the most it may take of the provider's tokens a minute
 * @throws what keeps it from being sent, or the signal's reason
 */
export async function beginCall({
  guard,
  bookings,
  tokens,
  signal,
  ...call
}: Omit<Parameters<Bookings['open']>[0], 'id'> & {
  guard: ProviderGuard
  bookings: Bookings
  tokens: number
  signal: AbortSignal
}): Promise<Booking> {
  await guard.enter(call.model, tokens, signal)
  try {
    signal.throwIfAborted()
    const booking = await bookings.open({ id: newId(), ...call })
    if (signal.aborted) {
      await booking.settle(emptySettlement('refused', 'not_sent', call.shares.length))
      signal.throwIfAborted()
    }
    return booking
  } catch (error) {
    await guard.leave(call.model)
    throw error
  }
}
