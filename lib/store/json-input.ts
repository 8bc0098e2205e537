import type { Knex } from 'knex'
import { JsonText } from '../text/json-text.ts'

/**
 * A value as it is bound to a `jsonb` column. A text that is large goes to PostgreSQL ahead, in pieces that its session
 * keeps until the transaction ends (manual, 9.28.1: `set_config` with `is_local`): a statement with all of it would be
 * copied twice in one go by the client.
 * @returns gives what is bound; knex would run an expression that a promise resolves to
 * @param id of the row: texts of one transaction are told apart by it
 */
export async function jsonInput(trx: Knex.Transaction, id: string, value: unknown): Promise<() => string | Knex.Raw> {
  if (!(value instanceof JsonText)) {
    const text = JSON.stringify(value)
    return () => text
  }
  const names: string[] = []
  for (const piece of value.pieces()) {
    const name = `goals.json_${id.replaceAll('-', '')}_${names.length}`
    await trx.raw('select from set_config(?, ?, true)', [name, piece])
    names.push(name)
  }
  const bound = trx.raw(`concat(${names.map(() => 'current_setting(?)').join(', ')})::jsonb`, names)
  return () => bound
}
