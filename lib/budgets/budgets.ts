import type { Knex } from 'knex'
import { AppError } from '../errors/app-error.ts'
import { actionOf, type AiAction } from '../actions/actions.ts'
import type { Reference } from '../actions/references.ts'
import type { Budget, BudgetStore } from '../store/money/budgets.ts'
import type { PricedModel } from '../store/money/ledger.ts'
import type { PicoUsd } from '../money.ts'
import { sourceBytes } from '../store/search/source-bytes.ts'
import { createRemembered } from '../time/remembered.ts'

export type Budgets = ReturnType<typeof createBudgets>

type Reservation = { jobId: string; userId: string; action: AiAction; input: unknown }

/** An estimate need not know a new price at once: what a call may cost is decided when it is made. */
const priceForMs = 1_000

/**
 * Budgets that cannot be exceeded: money is reserved in the transaction that admits a job, raised before a call that
 * needs more, and settled from the ledger when the job ends.
 */
export function createBudgets({
  knex,
  store,
  priceOf,
  chatModel,
  embeddingModel
}: {
  knex: Knex
  store: BudgetStore
  priceOf: (model: string, connection?: Knex.Transaction) => Promise<PricedModel | undefined>
  chatModel: string
  embeddingModel: string
}) {
  const prices = createRemembered<string, PricedModel>({ forMs: priceForMs, most: 10 })

  async function knownPrice(model: string, connection?: Knex.Transaction): Promise<PricedModel | undefined> {
    const known = prices.get(model)
    if (known) return known
    const found = await priceOf(model, connection)
    if (found) prices.set(model, found)
    return found
  }

  /** @returns what to reserve; nothing for a model without a price, which its job will be refused for */
  async function estimate(
    { action, input }: Pick<Reservation, 'action' | 'input'>,
    connection?: Knex.Transaction
  ): Promise<PicoUsd> {
    const [chat, embedding] = [await knownPrice(chatModel, connection), await knownPrice(embeddingModel, connection)]
    if (!chat || !embedding) return 0n
    return actionOf(action).worstCase(input, {
      referredBytes: await referredBytes(connection ?? knex, actionOf(action).references(input)),
      prices: { chat: chat.price, embedding: embedding.price }
    })
  }

  /** In a savepoint: a day that has room is given back when the month has none. */
  async function tryReserve(trx: Knex.Transaction, jobId: string, budget: Budget, amount: PicoUsd): Promise<boolean> {
    const refused = Symbol('refused')
    try {
      await trx.transaction(async (savepoint) => {
        if (!(await store.reserve(savepoint, jobId, budget, amount))) throw refused
      })
      return true
    } catch (error) {
      if (error === refused) return false
      throw error
    }
  }

  const limited = ({ dailyPico, monthlyPico }: Budget) => dailyPico !== null || monthlyPico !== null

  return {
    estimate,

    /**
     * Reserves the worst case of a job that was just inserted.
     * @returns false when the user's budget has no room for it; true also when there is no budget
     */
    async reserve(trx: Knex.Transaction, job: Reservation): Promise<boolean> {
      const budget = await store.budgetOf(job.userId, trx)
      if (!limited(budget)) return true
      return await tryReserve(trx, job.jobId, budget, await estimate(job, trx))
    },

    /**
     * How much a call of `worstCase` lacks of what its job may spend, after the reservation was raised if it could be.
     * 0 when the call can be paid.
     */
    async lacking(trx: Knex.Transaction, jobId: string, worstCase: PicoUsd): Promise<PicoUsd> {
      const room = await store.room(trx, jobId)
      if (!room || worstCase <= room.pico) return 0n
      const lacking = worstCase - room.pico
      if (!room.raisable) return lacking
      const job = await trx('jobs').where({ id: jobId }).first('user_id')
      const budget = await store.budgetOf(job?.user_id as string, trx)
      return (await tryReserve(trx, jobId, budget, lacking)) ? 0n : lacking
    },

    settleJobs: store.settleJobs,

    /** The 429 of a budget that is used up: come back when the day, or the month, is over. */
    async refusal(userId: string, now = new Date()): Promise<AppError> {
      const [budget, used] = [await store.budgetOf(userId), await store.usedBy(userId)]
      const monthIsOut = budget.monthlyPico !== null && used.monthPico >= budget.monthlyPico
      const reset = monthIsOut
        ? Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)
        : Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1)
      const seconds = Math.max(1, Math.ceil((reset - now.getTime()) / 1000))
      return new AppError('budget_exceeded', 'what is left of the budget does not pay for this request', {
        type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
        headers: { 'Retry-After': String(seconds) },
        members: { 'violated-policies': ['budget'] }
      })
    }
  }
}

/** Chunks repeat titles and heading paths; this much more than the text itself at the worst. */
const chunkingFactor = 2

/** Bytes of the first record with text among those that an input names, chunked. */
async function referredBytes(db: Knex, references: Reference[]): Promise<number> {
  for (const { type, id } of references) {
    if (type !== 'course' && type !== 'thread') return chunkingFactor * (await sourceBytes(db, { type, id }))
  }
  return 0
}
