import type { Knex } from 'knex'
import { v7 } from 'uuid'

/**
 * List prices in USD for a million tokens, each with the day from which it holds: [model, input, cached input, output, from].
 * Sources: the provider's price list; the offline models carry the prices of what they stand in for, so that money
 * flows in a demonstration as it does in earnest. Administrators add newer ones through the API.
 */
const prices: [string, number, number, number, string][] = [
  ['gpt-4o-mini', 0.15, 0.075, 0.6, '2024-07-18'],
  ['gpt-4o', 2.5, 1.25, 10, '2024-10-01'],
  ['gpt-4.1', 2, 0.5, 8, '2025-04-14'],
  ['gpt-4.1-mini', 0.4, 0.1, 1.6, '2025-04-14'],
  ['gpt-4.1-nano', 0.1, 0.025, 0.4, '2025-04-14'],
  ['gpt-5', 1.25, 0.125, 10, '2025-08-07'],
  ['gpt-5-mini', 0.25, 0.025, 2, '2025-08-07'],
  ['gpt-5-nano', 0.05, 0.005, 0.4, '2025-08-07'],
  ['text-embedding-3-small', 0.02, 0.02, 0, '2024-01-25'],
  ['text-embedding-3-large', 0.13, 0.13, 0, '2024-01-25'],
  ['offline-chat-mini', 0.15, 0.075, 0.6, '2024-01-01'],
  ['offline-chat', 2.5, 1.25, 10, '2024-01-01'],
  ['offline-reasoner', 1.25, 0.125, 10, '2024-01-01'],
  ['offline-embedding-small', 0.02, 0.02, 0, '2024-01-01']
]

export async function up(knex: Knex): Promise<void> {
  await knex('prices').insert(
    prices.map(([model, input, cached, output, from]) => ({
      id: v7(),
      model,
      input_per_million: input,
      cached_input_per_million: cached,
      output_per_million: output,
      valid_from: `${from}T00:00:00Z`
    }))
  )
}

export async function down(knex: Knex): Promise<void> {
  await knex('prices')
    .whereIn(
      'model',
      prices.map(([model]) => model)
    )
    .whereNotIn('id', knex('model_calls').select('price_id').whereNotNull('price_id'))
    .delete()
}
