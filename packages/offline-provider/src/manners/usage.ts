import { isObject, type Json } from '../check.ts'
import type { Work } from '../work.ts'
import { eachChunk } from './chunks.ts'
import { defineManners, type Manner } from './manner.ts'

/** Another usage wherever one is told; `undefined` tells none. */
function usageAs(change: (usage: Json, work: Work) => unknown): Pick<Manner, 'whole' | 'stream'> {
  const changed = (answer: Json, work: Work): Json | undefined => {
    if (!isObject(answer['usage'])) return answer
    const usage = change(answer['usage'], work)
    if (usage !== undefined) return { ...answer, usage }
    const { usage: _untold, ...rest } = answer
    return Array.isArray(answer['choices']) && answer['choices'].length === 0 ? undefined : rest
  }
  return {
    whole: (answer, work) => changed(answer, work) ?? answer,
    stream: (chunks, work) => eachChunk((chunk) => changed(chunk, work))(chunks, work)
  }
}

const numbers = (usage: Json, change: (value: number) => unknown): Json => ({
  ...usage,
  prompt_tokens: change(Number(usage['prompt_tokens'])),
  completion_tokens: change(Number(usage['completion_tokens'])),
  total_tokens: change(Number(usage['total_tokens']))
})

const embeddingsUsage = (change: (usage: Json) => unknown): Pick<Manner, 'embeddings'> => ({
  embeddings: ({ usage, ...answer }) => {
    const told = change(usage as Json)
    return told === undefined ? answer : { ...answer, usage: told }
  }
})

const reasoningOnTop = 4_000

/** What a server says of the tokens that it took. What it charges is on the invoice, whatever it says. */
export const usageManners = defineManners({
  'usage-missing': {
    about: 'no usage',
    tells: false,
    ...usageAs(() => undefined),
    ...embeddingsUsage(() => undefined)
  },
  'usage-null': { about: '`usage: null`', tells: false, ...usageAs(() => null), ...embeddingsUsage(() => null) },
  'usage-empty': { about: '`usage: {}`', tells: false, ...usageAs(() => ({})), ...embeddingsUsage(() => ({})) },
  'usage-null-fields': {
    about: 'usage whose fields are null',
    tells: false,
    ...usageAs((usage) => numbers(usage, () => null)),
    ...embeddingsUsage((usage) => ({ ...usage, prompt_tokens: null, total_tokens: null }))
  },
  'usage-completion-only': {
    about: 'usage with `completion_tokens` alone',
    tells: false,
    ...usageAs(({ completion_tokens }) => ({ completion_tokens }))
  },
  'usage-total-only': {
    about: 'usage with `total_tokens` alone',
    tells: false,
    ...usageAs(({ total_tokens }) => ({ total_tokens }))
  },
  'usage-without-completion': {
    about: 'usage with prompt and total',
    tells: true,
    ...usageAs(({ prompt_tokens, total_tokens }) => ({ prompt_tokens, total_tokens }))
  },
  'usage-without-prompt': {
    about: 'usage with completion and total',
    tells: true,
    ...usageAs(({ completion_tokens, total_tokens }) => ({ completion_tokens, total_tokens }))
  },
  'usage-fractions': {
    about: 'usage in fractions of tokens',
    tells: false,
    ...usageAs((usage) => numbers(usage, (value) => value + 0.5)),
    ...embeddingsUsage((usage) => ({ ...usage, prompt_tokens: 1.5, total_tokens: 1.5 }))
  },
  'usage-negative': {
    about: 'negative usage',
    tells: false,
    ...usageAs((usage) => numbers(usage, (value) => -value)),
    ...embeddingsUsage((usage) => ({ ...usage, prompt_tokens: -1, total_tokens: -1 }))
  },
  'usage-zero': { about: 'zeros for an answer', tells: false, ...usageAs((usage) => numbers(usage, () => 0)) },
  'usage-absurd': {
    about: 'more tokens than there are',
    tells: false,
    ...usageAs((usage) => numbers(usage, () => 1e300)),
    ...embeddingsUsage((usage) => ({ ...usage, prompt_tokens: 1e300, total_tokens: 1e300 }))
  },
  'usage-cached-beyond': {
    about: 'more cached tokens than the prompt has',
    tells: true,
    ...usageAs((usage) => ({ ...usage, prompt_tokens_details: { cached_tokens: 100_000 } }))
  },
  'usage-reasoning-on-top': {
    about: 'reasoning tokens that only the total includes',
    tells: true,
    ...usageAs((usage, { line }) => {
      line.completionTokens += reasoningOnTop
      line.reasoningTokens += reasoningOnTop
      return {
        ...usage,
        total_tokens: Number(usage['total_tokens']) + reasoningOnTop,
        completion_tokens_details: { reasoning_tokens: reasoningOnTop }
      }
    })
  },
  'usage-thoughts-in-total': {
    about: 'a total that is more than its parts, without details',
    tells: true,
    ...usageAs((usage, { line }) => {
      line.completionTokens += reasoningOnTop
      line.reasoningTokens += reasoningOnTop
      return {
        prompt_tokens: usage['prompt_tokens'],
        completion_tokens: usage['completion_tokens'],
        total_tokens: Number(usage['total_tokens']) + reasoningOnTop
      }
    })
  }
})
