import { JobError } from '../../lib/jobs/job-error.ts'
import type { ChatMessage, ChatTool } from '../../lib/models/client.ts'
import { countTokens } from '../../lib/models/tokens.ts'
import type { JobSpending } from '../../lib/store/job-spending.ts'
import type { PicoUsd, TokenPrice } from '../../lib/usage/money.ts'
import type { ChatState, Limit, Spent } from './state.ts'

/** What one run may use. */
export type RunLimits = {
  /** nodes of the graph */
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
/** Tokenizers differ in how they frame messages and tools. */
const promptMargin = 1.04
const framingTokens = 16

/** Whether a model call was refused because the user's budget has no room for it. */
export const isBudgetExhausted = (error: unknown): boolean =>
  error instanceof JobError && error.code === 'budget_exhausted'

export type Request = { messages: ChatMessage[]; tools?: ChatTool[]; schema?: object }
/** How many tokens an answer may have; or which limit leaves it none. */
export type Allowance = { ok: true; maxOutputTokens: number; bound: Limit } | { ok: false; limit: Limit }

export type Purse = ReturnType<typeof createPurse>

/**
 * The limits of a run. What it has used is read from the ledger at the end of each step and kept in the state, so that
 * a resumed step is allowed the same as before, asks the same, and is answered from the ledger. Money that earlier runs
 * may have lost meanwhile is taken off besides.
 */
export function createPurse({
  limits,
  prices,
  spendingOf
}: {
  limits: RunLimits
  prices: { chat: TokenPrice; embedding: TokenPrice }
  spendingOf: () => Promise<JobSpending>
}) {
  const promptTokensOf = ({ messages, tools = [], schema }: Request): number =>
    Math.ceil(
      countTokens(JSON.stringify([messages, tools, schema ?? null])) * promptMargin +
        framingTokens * (messages.length + 1)
    )

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
    const promptTokens = promptTokensOf(request)
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
     * Whether after this answer there is room to carry out its calls and ask again; else the limit in the way. Asked
     * before every answer but the first, which may always call tools.
     */
    async mustEnd(state: ChatState, request: Request): Promise<Limit | undefined> {
      // This answer, its tools, the next answer and the end.
      if (state.nodes + 4 > limits.steps) return 'steps'
      if (limits.timeMs - state.elapsedMs < limits.timeMs * 0.1) return 'time'
      const promptTokens = promptTokensOf(request)
      const needed = promptTokens * 2 + leastAnswerTokens * 8
      if (limits.tokens - state.spent.tokens < needed) return 'tokens'
      if ((limits.outputTokens ?? Number.POSITIVE_INFINITY) - state.spent.outputTokens < leastAnswerTokens * 4)
        return 'tokens'
      const money = await costLeft(state)
      if (
        money !== undefined &&
        money < BigInt(needed) * prices.chat.input + BigInt(leastAnswerTokens * 8) * prices.chat.output
      ) {
        return 'cost'
      }
      return undefined
    },

    /** Whether a search for a text, which has to be embedded, can be paid for; else the limit in the way. */
    async searchLimit(state: ChatState, text: string): Promise<Limit | undefined> {
      const tokens = Math.ceil(countTokens(text) * promptMargin) + framingTokens
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
