import { setTimeout as delay } from 'node:timers/promises'
import { JobError } from '../errors/job-error.ts'
import type { Logger } from '../logger.ts'
import { mayPass } from '../errors/outage.ts'
import type { Budgets } from '../budgets/budgets.ts'
import type { Ledger, Settlement, Share } from '../store/money/ledger.ts'
import { costOf, noTokens, type PicoUsd, type TokenUsage } from '../money.ts'

/** One provider call between its intent and its settlement. */
export type Booking = {
  id: string
  /** tokens the call may produce: as asked, or fewer when what may be spent pays for no more */
  maxOutputTokens: number
  settle(
    settlement: Omit<Settlement, 'latencyMs' | 'costPico' | 'shares'> & { shares: BookedShare[] }
  ): Promise<PicoUsd>
}
export type BookedShare = { usage: TokenUsage; response?: unknown }

/** A share before it is priced: the most input it can have (a token is never less than one byte of UTF-8). */
export type ShareRequest = Omit<Share, 'worstCasePico'> & { inputBytes: number }

export type Bookings = {
  /**
   * Commits the intent.
   * @param maxOutputTokens of the whole call; only a call with one share has any
   * @throws JobError `unknown_price` when the model has no price: it is refused, not free; `budget_exhausted` when what
   *   may be spent does not pay for the call
   */
  open(call: {
    id: string
    kind: 'chat' | 'embedding'
    model: string
    maxOutputTokens: number
    shares: ShareRequest[]
  }): Promise<Booking>
}

/** How long a settlement is tried for: longer than a database takes to fail over, or to recover from a crash. */
const settleForMs = 5 * 60_000
const longestSettleWaitMs = 2_000
/** An answer shorter than this is not worth its prompt. */
const fewestOutputTokens = 32

/** Intent before, settlement at once and alone after: the two commits around every provider call. */
export function createBookings({ ledger, budgets, log }: { ledger: Ledger; budgets: Budgets; log: Logger }): Bookings {
  return {
    async open({ id, kind, model, maxOutputTokens, shares }) {
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
      const { price } = priced
      let granted = maxOutputTokens
      const worstCase = (inputBytes: number) =>
        costOf({ ...noTokens, promptTokens: inputBytes, completionTokens: granted }, price)
      await ledger.intend(
        {
          id,
          kind,
          model,
          priceId: priced.priceId,
          shares: shares.map(({ inputBytes, ...share }) => ({ ...share, worstCasePico: worstCase(inputBytes) }))
        },
        async (trx, priced, limited) => {
          // In order of id, in which their rows are locked.
          const sharesOf = Map.groupBy(priced, ({ scope }) => scope.jobId)
          for (const share of limited.flatMap((id) => sharesOf.get(id) ?? [])) {
            const lacking = await budgets.lacking(trx, share.scope.jobId, share.worstCasePico)
            if (lacking === 0n) continue
            const fewer =
              maxOutputTokens > 0 ? granted - Number((lacking + price.output - 1n) / (price.output || 1n)) : 0
            if (price.output === 0n || fewer < Math.min(fewestOutputTokens, maxOutputTokens) || fewer <= 0) {
              throw new JobError('budget_exhausted', 'what may be spent does not pay for the model call', {
                retryable: false
              })
            }
            granted = fewer
          }
          if (granted === maxOutputTokens) return priced
          return priced.map((share, index) => ({
            ...share,
            worstCasePico: worstCase((shares[index] as ShareRequest).inputBytes)
          }))
        }
      )
      const startedAt = performance.now()
      return {
        id,
        maxOutputTokens: granted,
        async settle({ shares: parts, ...rest }) {
          const settlement: Settlement = {
            ...rest,
            costPico: costOf(rest.usage, price),
            latencyMs: Math.round(performance.now() - startedAt),
            shares: parts.map((part) => ({ ...part, costPico: costOf(part.usage, price) }))
          }
          await persist(() => ledger.settle(id, settlement), log)
          return settlement.costPico
        }
      }
    }
  }
}

/** The money is spent: a database that is away for a while must not make the job pay again. */
async function persist(write: () => Promise<void>, log: Logger): Promise<void> {
  const giveUpAt = performance.now() + settleForMs
  for (let attempt = 1; ; attempt++) {
    try {
      await write()
      if (attempt > 1) log.info({ attempt }, 'settlement written')
      return
    } catch (error) {
      if (performance.now() > giveUpAt || !mayPass(error)) throw error
      if (attempt === 1) log.warn({ err: error }, 'settlement could not be written, trying again')
      await delay(Math.min(100 * 2 ** Math.min(attempt, 10), longestSettleWaitMs))
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
