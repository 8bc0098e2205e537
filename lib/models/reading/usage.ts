import type { TokenUsage } from '../../money.ts'
import { objectOf } from './json.ts'

/**
 * What an answer says of the tokens that it took, as far as it can be believed: whole numbers, each in its range. What
 * is missing nobody said, and nothing else says it.
 */
export type ToldUsage = {
  promptTokens?: number | undefined
  cachedTokens: number
  completionTokens?: number | undefined
  reasoningTokens: number
}

export const nothingTold: ToldUsage = { cachedTokens: 0, reasoningTokens: 0 }

/** No request and no answer is as large; more is a mistake. */
const mostTokens = 100_000_000

/**
 * Reads a `usage` object, whoever wrote it. A number that is missing is what the total leaves for it. What the total has
 * besides prompt and completion is output: Gemini and xAI count reasoning there and nowhere else. Reasoning that exceeds
 * the completion was not a part of it, and cached tokens that exceed the prompt are not believed.
 * @param received whether anything came: an answer that took no tokens is not believed
 */
export function readUsage(value: unknown, received: boolean): ToldUsage {
  const usage = objectOf(value)
  if (!usage) return nothingTold
  const total = tokens(usage['total_tokens'])
  const reasoning = tokens(detail(usage, 'completion', 'reasoning_tokens')) ?? 0
  const prompt = positive(tokens(usage['prompt_tokens'] ?? usage['input_tokens']))
  const completion = believed(tokens(usage['completion_tokens'] ?? usage['output_tokens']), received)
  const cached = tokens(detail(usage, 'prompt', 'cached_tokens')) ?? 0

  const completionTokens = completion === undefined ? rest(total, prompt, received) : withReasoning()
  const promptTokens = prompt ?? (completion === undefined ? undefined : positive(rest(total, completion, true)))
  return {
    promptTokens,
    cachedTokens: promptTokens !== undefined && cached <= promptTokens ? cached : 0,
    completionTokens,
    reasoningTokens: completionTokens === undefined ? 0 : Math.min(reasoningOf(), completionTokens)
  }

  function withReasoning(): number {
    const told = completion as number
    const besides = total === undefined || prompt === undefined ? 0 : total - prompt - told
    if (besides > 0) return told + besides
    return reasoning > told ? told + reasoning : told
  }

  function reasoningOf(): number {
    return Math.max(reasoning, (completionTokens ?? 0) - (completion ?? completionTokens ?? 0))
  }
}

/** Whether everything is told that a call is settled by. */
export const isComplete = (told: ToldUsage): told is TokenUsage =>
  told.promptTokens !== undefined && told.completionTokens !== undefined

/** What is told, and for the rest an estimate. */
export function completed(told: ToldUsage, estimate: { promptTokens: number; completionTokens: number }): TokenUsage {
  const promptTokens = told.promptTokens ?? estimate.promptTokens
  return {
    promptTokens,
    cachedTokens: Math.min(told.cachedTokens, promptTokens),
    completionTokens: told.completionTokens ?? estimate.completionTokens,
    reasoningTokens: told.completionTokens === undefined ? 0 : told.reasoningTokens
  }
}

const tokens = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= mostTokens ? value : undefined

const positive = (value: number | undefined): number | undefined => (value === 0 ? undefined : value)

const believed = (value: number | undefined, received: boolean): number | undefined =>
  received ? positive(value) : value

function rest(total: number | undefined, part: number | undefined, received: boolean): number | undefined {
  if (total === undefined || part === undefined || total < part) return undefined
  return believed(total - part, received)
}

/** `prompt_tokens_details.cached_tokens` and `completion_tokens_details.reasoning_tokens`, or the same under newer names. */
function detail(usage: Record<string, unknown>, part: 'prompt' | 'completion', name: string): unknown {
  const newer = part === 'prompt' ? 'input_tokens_details' : 'output_tokens_details'
  return (objectOf(usage[`${part}_tokens_details`]) ?? objectOf(usage[newer]))?.[name]
}
