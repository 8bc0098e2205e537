/** A price in USD per million tokens, as decimal strings so that no digit is lost. */
export type OfflinePrice = {
  model: string
  inputPerMillion: string
  cachedInputPerMillion: string
  outputPerMillion: string
  /** RFC 3339, UTC: the price holds for calls from here on. */
  validFrom: string
}

const VALID_FROM = '2024-01-01T00:00:00Z'

/** Nobody is charged these: the offline models are priced so that money flows exactly as it does with a real provider. */
export const offlinePrices: readonly OfflinePrice[] = [
  price('offline-chat-mini', '0.15', '0.075', '0.6'),
  price('offline-chat', '2.5', '1.25', '10'),
  price('offline-reasoner', '1.25', '0.125', '10'),
  price('offline-embedding-small', '0.02', '0.02', '0')
]

function price(model: string, input: string, cached: string, output: string): OfflinePrice {
  return {
    model,
    inputPerMillion: input,
    cachedInputPerMillion: cached,
    outputPerMillion: output,
    validFrom: VALID_FROM
  }
}

type Tokens = { promptTokens: number; cachedTokens: number; completionTokens: number }

/** What tokens cost, in pico-USD (10⁻¹²). Cached tokens are a part of the prompt's. Unknown models cost nothing here. */
export function offlineCost(model: string, { promptTokens, cachedTokens, completionTokens }: Tokens): bigint {
  const known = offlinePrices.find((candidate) => candidate.model === model)
  if (!known) return 0n
  return (
    BigInt(promptTokens - cachedTokens) * picoPerToken(known.inputPerMillion) +
    BigInt(cachedTokens) * picoPerToken(known.cachedInputPerMillion) +
    BigInt(completionTokens) * picoPerToken(known.outputPerMillion)
  )
}

/** USD per million tokens is micro-USD per token: a million pico-USD. */
function picoPerToken(perMillion: string): bigint {
  const [whole = '0', fraction = ''] = perMillion.split('.')
  return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, '0').slice(0, 6))
}

/** Pico-USD as USD with twelve decimals. */
export function usd(pico: bigint): string {
  const digits = pico.toString().padStart(13, '0')
  return `${digits.slice(0, -12)}.${digits.slice(-12)}`
}
