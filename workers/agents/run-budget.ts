import { JobError } from '../../lib/errors/job-error.ts'
import type { ChatMessage } from '../../lib/models/client.ts'
import { countTokensInTurns } from '../../lib/models/tokens.ts'
import type { JobSpending } from '../../lib/store/money/job-spending.ts'
import type { PicoUsd, TokenPrice } from '../../lib/money.ts'
import { asksForWrites } from './plan.ts'
import type { ChatState, Limit, Spent } from './state.ts'

/** What one run may use. */
export type RunLimits = {
  /** nodes of the graph, each look-up counted as one */
  steps: number
  /** tokens of all calls, prompts and answers */
  tokens: number
  timeMs: number
  /** tokens of all answers */
  outputTokens?: number | undefined
  costPico?: PicoUsd | undefined
}

/** Limits of a run unless its request sets its own. */
export const defaultLimits: RunLimits = { steps: 12, tokens: 32_000, timeMs: 120_000 }

/** Longest single answer. */
const answerTokens = 4_096
/** A shorter answer says nothing. */
const leastAnswerTokens = 16
/** Tokenizers differ in how they frame messages. */
const promptMargin = 1.04
const framingTokens = 16

/** Whether a model call was refused because the user's budget has no room for it. */
export const isBudgetExhausted = (error: unknown): boolean =>
  error instanceof JobError && error.code === 'budget_exhausted'

type Request = { messages: ChatMessage[]; schema?: object }
/** How many tokens an answer may have; or which limit leaves it none. */
type Allowance = { ok: true; maxOutputTokens: number; bound: Limit } | { ok: false; limit: Limit }

export type RunBudget = ReturnType<typeof createRunBudget>

/**
 * The limits of a run. What it has used is read from the ledger at the end of each step and kept in the state, so that
 * a resumed step is allowed the same as before, asks the same, and is answered from the ledger. Money that earlier runs
 * may have lost meanwhile is taken off besides.
 */
export function createRunBudget({
  limits,
  prices,
  spendingOf
}: {
  limits: RunLimits
  prices: { chat: TokenPrice; embedding: TokenPrice }
  spendingOf: () => Promise<JobSpending>
}) {
  const tokensIn = async (text: string): Promise<number> =>
    (await countTokensInTurns([text])).reduce((sum, count) => sum + count, 0)

  async function promptTokensOf({ messages, schema }: Request): Promise<number> {
    const tokens = await tokensIn(JSON.stringify([messages, schema ?? null]))
    return Math.ceil(tokens * promptMargin + framingTokens * (messages.length + 1))
  }

  async function costLeft({ spent }: ChatState): Promise<PicoUsd | undefined> {
    if (limits.costPico === undefined) return undefined
    const now = await spendingOf()
    const lost = now.uncertainPico - BigInt(spent.uncertainPico)
    return limits.costPico - BigInt(spent.costPico) - BigInt(spent.uncertainPico) - (lost > 0n ? lost : 0n)
  }

  /** The most tokens an answer may have, and the limit that says so. */
  async function allow(state: ChatState, request: Request): Promise<Allowance> {
    const timeLeftMs = limits.timeMs - state.elapsedMs
    if (timeLeftMs <= 0) return { ok: false, limit: 'time' }
    const promptTokens = await promptTokensOf(request)
    const candidates: [number, Limit][] = [
      [answerTokens, 'tokens'],
      [limits.tokens - state.spent.tokens - promptTokens, 'tokens'],
      [(limits.outputTokens ?? Number.POSITIVE_INFINITY) - state.spent.outputTokens, 'tokens']
    ]
    const money = await costLeft(state)
    if (money !== undefined) candidates.push([tokensFor(money - BigInt(promptTokens) * prices.chat.input), 'cost'])
    const [most, bound] = candidates.reduce((least, next) => (next[0] < least[0] ? next : least))
    const least = Math.min(leastAnswerTokens, limits.outputTokens ?? leastAnswerTokens)
    return most < least ? { ok: false, limit: bound } : { ok: true, maxOutputTokens: most, bound }
  }

  const tokensFor = (money: PicoUsd): number => {
    if (money < 0n) return -1
    return prices.chat.output === 0n ? Number.POSITIVE_INFINITY : Number(money / prices.chat.output)
  }

  return {
    allow,

    /**
     * The most tokens that an answer by schema may have, which may have to be asked for twice, with what was wrong, and
     * after which something must be left for the answer itself; 0 for none.
     */
    async allowTwice(state: ChatState, { messages, schema }: Request): Promise<number> {
      const all = { messages: [...messages, ...messages, ...messages], ...(schema ? { schema } : {}) }
      const allowance = await allow(state, all)
      return allowance.ok ? Math.floor(allowance.maxOutputTokens / 4) : 0
    },

    /** The limit that leaves an answer fewer tokens than it should have, if one does. */
    async lacks(state: ChatState, messages: ChatMessage[], tokens: number): Promise<Limit | undefined> {
      const allowance = await allow(state, { messages })
      if (!allowance.ok) return allowance.limit
      const wanted = Math.min(tokens, (limits.outputTokens ?? Number.POSITIVE_INFINITY) - state.spent.outputTokens)
      return allowance.maxOutputTokens < wanted ? allowance.bound : undefined
    },

    /** How many look-ups there are steps for, besides those of the answer and of the changes that were asked for. */
    readsLeft({ nodes, plan }: Pick<ChatState, 'nodes' | 'plan'>): number {
      const others = plan && asksForWrites(plan) ? 3 : 2
      return Math.max(0, limits.steps - nodes - others)
    },

    /** Whether a search for a text, which has to be embedded, can be paid for; else the limit in the way. */
    async searchLimit(state: ChatState, text: string): Promise<Limit | undefined> {
      const tokens = Math.ceil((await tokensIn(text)) * promptMargin) + framingTokens
      if (limits.tokens - state.spent.tokens < tokens) return 'tokens'
      const money = await costLeft(state)
      return money !== undefined && money < BigInt(tokens) * prices.embedding.input ? 'cost' : undefined
    },

    /** Aborts when the time of the run is over. */
    timeSignal: (state: ChatState, startedAt: number): AbortSignal =>
      AbortSignal.timeout(Math.max(1, Math.ceil(limits.timeMs - state.elapsedMs - (performance.now() - startedAt)))),

    /** What has been used until now, for the state. */
    async spent(): Promise<Spent> {
      const { promptTokens, completionTokens, costPico, uncertainPico } = await spendingOf()
      return {
        tokens: promptTokens + completionTokens,
        outputTokens: completionTokens,
        costPico: costPico.toString(),
        uncertainPico: uncertainPico.toString()
      }
    }
  }
}
