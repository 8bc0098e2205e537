import { type DecisionRecord, decodeDecision } from './decision.ts'
import type { GateKeys } from './keys.ts'
import { defineScript, type RedisClient } from '../redis/script.ts'

/** Refusals that were counted under one id, as far as they had come. */
export type CountedRefusals = { shard: number; id: string; count: string; decision: DecisionRecord }

/**
 * The refusals that `take.lua` counts instead of making entries of them. Any number of readers may look at the same
 * ones: a count only rises, so what one of them writes late changes nothing.
 */
export function createCountedRefusals(redis: RedisClient, keys: GateKeys) {
  const show = defineScript(redis, new URL('./repeats.lua', import.meta.url))
  const settle = defineScript(redis, new URL('./settle-repeats.lua', import.meta.url))

  return {
    /** @returns some that wait for their row, at most `most`; those that cannot be read are gone afterwards */
    async read(most: number): Promise<CountedRefusals[]> {
      const each = Math.max(1, Math.floor(most / keys.shards.length))
      const found = await Promise.all(
        keys.shards.map(async (shard) => {
          const reply = (await show(keys.repeats(shard), [each])) as string[]
          const readable: CountedRefusals[] = []
          for (let i = 0; i < reply.length; i += 3) {
            const [id = '', count = '', text = ''] = reply.slice(i, i + 3)
            const decision = decodeDecision(parseFields(text))
            if (decision) readable.push({ shard, id, count, decision: { ...decision, id, repeats: Number(count) } })
            else await settle(keys.repeats(shard), [id, count])
          }
          return readable
        })
      )
      return found.flat()
    },

    /** Ends those that have a row with this count. */
    async settle(stored: CountedRefusals[]): Promise<void> {
      const byShard = Map.groupBy(stored, ({ shard }) => shard)
      await Promise.all(
        Array.from(byShard, ([shard, own]) =>
          settle(
            keys.repeats(shard),
            own.flatMap(({ id, count }) => [id, count])
          )
        )
      )
    }
  }
}

function parseFields(text: string): string[] {
  try {
    const fields: unknown = JSON.parse(text)
    return Array.isArray(fields) ? fields.map(String) : []
  } catch {
    return [] // no decision, as its reader will see
  }
}
