import type { Knex } from 'knex'
import { newId } from '../../ids.ts'
import type { PriceInput, PriceView } from '../../schemas/admin.ts'
import { formatUsd, parseUsd } from '../../money.ts'

type PriceRow = {
  id: string
  model: string
  input_per_million: string
  cached_input_per_million: string
  output_per_million: string
  valid_from: Date
  created_at: Date
}

export type PriceStore = ReturnType<typeof createPriceStore>

/** List prices, each with the moment from which it holds. They are only added: what was charged by one stays explained by it. */
export function createPriceStore({ knex }: { knex: Knex }) {
  return {
    /** @returns `undefined` when the model has a price from that moment already */
    async insert(price: PriceInput): Promise<PriceView | undefined> {
      const { model, inputPerMillion, cachedInputPerMillion = inputPerMillion, outputPerMillion, validFrom } = price
      const [row] = (await knex('prices')
        .insert({
          id: newId(),
          model,
          input_per_million: formatUsd(inputPerMillion),
          cached_input_per_million: formatUsd(cachedInputPerMillion),
          output_per_million: formatUsd(outputPerMillion),
          valid_from: validFrom
        })
        .onConflict(['model', 'valid_from'])
        .ignore()
        .returning('*')) as PriceRow[]
      return row && toView(row)
    },

    async find(id: string): Promise<PriceView | undefined> {
      const row = await knex<PriceRow>('prices').where({ id }).first()
      return row && toView(row)
    },

    /** The newest first. */
    async list(query: {
      model?: string | undefined
      before?: string | undefined
      limit: number
    }): Promise<PriceView[]> {
      const rows = knex<PriceRow>('prices').orderBy('id', 'desc').limit(query.limit)
      if (query.model !== undefined) void rows.where({ model: query.model })
      if (query.before !== undefined) void rows.where('id', '<', query.before)
      return (await rows.select('*')).map(toView)
    }
  }
}

const usd = (perMillion: string): string => formatUsd(parseUsd(perMillion))

function toView(row: PriceRow): PriceView {
  return {
    id: row.id,
    model: row.model,
    inputPerMillion: usd(row.input_per_million),
    cachedInputPerMillion: usd(row.cached_input_per_million),
    outputPerMillion: usd(row.output_per_million),
    validFrom: row.valid_from.toISOString(),
    createdAt: row.created_at.toISOString()
  }
}
