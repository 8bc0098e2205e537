import { JobError } from '../jobs/job-error.ts'
import type { Logger } from '../logger.ts'
import type { Ledger, PricedModel, Settlement, Share } from '../store/ledger.ts'
import { costOf, noTokens, type PicoUsd, type TokenUsage } from '../usage/money.ts'

/** One provider call between its intent and its settlement. */
export type Booking = {
  id: string
  priced: PricedModel
  settle(
    settlement: Omit<Settlement, 'latencyMs' | 'costPico' | 'shares'> & { shares: BookedShare[] }
  ): Promise<PicoUsd>
}
export type BookedShare = { usage: TokenUsage; response?: unknown }

export type Bookings = {
  /** Commits the intent. @throws JobError `unknown_price` when the model has no price: it is refused, not free */
  open(call: {
    id: string
    kind: 'chat' | 'embedding'
    model: string
    worstCase: TokenUsage
    shares: Share[]
  }): Promise<Booking>
}

const settleAttempts = 6

/** Intent before, settlement at once and alone after: the two commits around every provider call. */
export function createBookings({ ledger, log }: { ledger: Ledger; log: Logger }): Bookings {
  return {
    async open({ id, kind, model, worstCase, shares }) {
      const priced = await ledger.priceOf(model)
      if (!priced) {
        throw new JobError(
          'unknown_price',
          `no price is known for the model "${model}": an administrator can add one`,
          {
            retryable: false
          }
        )
      }
      const worstCasePico = costOf(worstCase, priced.price)
      await ledger.intend({ id, kind, model, priceId: priced.priceId, worstCasePico, shares })
      const startedAt = performance.now()
      return {
        id,
        priced,
        async settle({ shares: parts, ...rest }) {
          const settlement: Settlement = {
            ...rest,
            costPico: costOf(rest.usage, priced.price),
            latencyMs: Math.round(performance.now() - startedAt),
            shares: parts.map((part) => ({ ...part, costPico: costOf(part.usage, priced.price) }))
          }
          await persist(() => ledger.settle(id, settlement), log)
          return settlement.costPico
        }
      }
    }
  }
}

/** The money is spent: a database that is away for some seconds must not make the job pay again. */
async function persist(write: () => Promise<void>, log: Logger): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await write()
      return
    } catch (error) {
      if (attempt === settleAttempts) throw error
      log.warn({ attempt, err: error }, 'settlement could not be written, trying again')
      await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt))
    }
  }
}

/** A settlement for a call that brought nothing: refused (free) or lost (nobody knows). */
export function emptySettlement(charge: 'refused' | 'unknown', error: string, shares: number) {
  return {
    state: charge === 'refused' ? ('settled' as const) : ('unknown' as const),
    usage: noTokens,
    error,
    shares: Array.from({ length: shares }, () => ({ usage: noTokens }))
  }
}
