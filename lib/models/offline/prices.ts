/** A price in USD per million tokens, as decimal strings so that no digit is lost. */
export type OfflinePrice = {
  model: string
  inputPerMillion: string
  cachedInputPerMillion: string | null
  outputPerMillion: string
  /** RFC 3339, UTC: the price holds for calls from here on. */
  validFrom: string
}

const VALID_FROM = '2026-01-01T00:00:00Z'

/** The offline models cost nothing; they are priced so that money flows exactly as it does with a real provider. */
export const offlinePrices: readonly OfflinePrice[] = [
  price('offline-chat-mini', '0.15', '0.075', '0.60'),
  price('offline-chat', '2.50', '1.25', '10.00'),
  price('offline-reasoner', '1.10', '0.55', '4.40'),
  price('offline-embedding-small', '0.02', null, '0')
]

function price(model: string, input: string, cached: string | null, output: string): OfflinePrice {
  return {
    model,
    inputPerMillion: input,
    cachedInputPerMillion: cached,
    outputPerMillion: output,
    validFrom: VALID_FROM
  }
}
