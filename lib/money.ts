/** Integer pico-USD (10⁻¹² USD): what every cost is computed and stored in. */
export type PicoUsd = bigint

const picoPerUsd = 1_000_000_000_000n

/** `123400000n` → `"0.000123400000"`: always twelve decimals, as the contract shows money. */
export function formatUsd(pico: PicoUsd): string {
  const sign = pico < 0n ? '-' : ''
  const amount = pico < 0n ? -pico : pico
  return `${sign}${amount / picoPerUsd}.${(amount % picoPerUsd).toString().padStart(12, '0')}`
}

/**
 * Parses a decimal in USD with at most twelve decimals, exactly.
 * @throws RangeError when the text is not such a number
 */
export function parseUsd(text: string | number): PicoUsd {
  const plain = typeof text === 'number' ? text.toFixed(12) : text
  const match = /^(\d{1,12})(?:\.(\d{1,12}))?$/.exec(plain)
  if (!match) throw new RangeError('not a decimal number of USD with at most twelve decimals')
  return BigInt(match[1] as string) * picoPerUsd + BigInt((match[2] ?? '').padEnd(12, '0'))
}

/** What a model costs: pico-USD for one token. 0.15 USD a million tokens are 150,000 pico-USD a token. */
export type TokenPrice = { input: PicoUsd; cachedInput: PicoUsd; output: PicoUsd }

/** Tokens of one call. Cached tokens are a part of the prompt's, reasoning tokens of the completion's: never added again. */
export type TokenUsage = {
  promptTokens: number
  cachedTokens: number
  completionTokens: number
  reasoningTokens: number
}

export const noTokens: TokenUsage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }

/** Exact cost of a call. Prompt tokens that were cached are charged at the cached price, the others at the full one. */
export function costOf(usage: TokenUsage, price: TokenPrice): PicoUsd {
  return (
    BigInt(usage.promptTokens - usage.cachedTokens) * price.input +
    BigInt(usage.cachedTokens) * price.cachedInput +
    BigInt(usage.completionTokens) * price.output
  )
}
