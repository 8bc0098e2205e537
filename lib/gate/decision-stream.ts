import type { GateKeys } from './keys.ts'
import { defineScript, type RedisClient } from '../redis/script.ts'

/** One entry as Redis holds it. */
export type StreamEntry = { shard: number; entryId: string; fields: string[] }

const group = 'audit'

type RawEntry = [id: string, fields: string[] | null]

/**
 * The streams of decisions as one: every consumer of the group gets other entries, and an entry is its own until it is
 * settled or claimed by another. A group that is missing, at first or because Redis was emptied, is made.
 */
export function createDecisionStream(redis: RedisClient, keys: GateKeys, consumer: string, maxStreamLength: number) {
  const settleEntries = defineScript(redis, new URL('./settle.lua', import.meta.url))
  const sweepAdmitted = defineScript(redis, new URL('./sweep.lua', import.meta.url))

  async function withGroup<T>(shard: number, command: () => Promise<T>): Promise<T> {
    try {
      return await command()
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOGROUP')) throw error
      await redis.xgroup('CREATE', keys.decisions(shard), group, '0', 'MKSTREAM').catch((busy: Error) => {
        if (!busy.message.startsWith('BUSYGROUP')) throw busy
      })
      return command()
    }
  }

  /** Entries deleted in the meantime come without fields (Redis 6.2); there is nothing to do for them but say so. */
  function entriesOf(shard: number, raw: RawEntry[]): StreamEntry[] {
    return raw.map(([entryId, fields]) => ({ shard, entryId, fields: fields ?? [] }))
  }

  async function perShard(work: (shard: number) => Promise<StreamEntry[]>): Promise<StreamEntry[]> {
    return (await Promise.all(keys.shards.map(work))).flat()
  }

  return {
    /** @returns entries nobody was given before, at most `most` */
    read(most: number): Promise<StreamEntry[]> {
      const each = Math.floor(most / keys.shards.length)
      if (each === 0) return Promise.resolve([])
      return perShard(async (shard) => {
        const stream = keys.decisions(shard)
        const reply = await withGroup(shard, () =>
          redis.xreadgroup('GROUP', group, consumer, 'COUNT', each, 'STREAMS', stream, '>')
        )
        const [[, entries] = ['', []]] = (reply ?? []) as [string, RawEntry[]][]
        return entriesOf(shard, entries)
      })
    },

    /** @returns entries that another consumer has had for `idleMs` without settling them, at most `most` */
    claim(most: number, idleMs: number): Promise<StreamEntry[]> {
      const each = Math.floor(most / keys.shards.length)
      if (each === 0) return Promise.resolve([])
      return perShard(async (shard) => {
        const stream = keys.decisions(shard)
        const reply = await withGroup(shard, () =>
          redis.xautoclaim(stream, group, consumer, idleMs, '0-0', 'COUNT', each)
        )
        const [, entries] = reply as [string, (RawEntry | null)[]]
        return entriesOf(
          shard,
          entries.filter((entry) => entry !== null)
        )
      })
    },

    /** Ends entries for good. */
    async settle(entries: StreamEntry[]): Promise<void> {
      const byShard = Map.groupBy(entries, ({ shard }) => shard)
      await Promise.all(
        Array.from(byShard, ([shard, own]) =>
          settleEntries([keys.decisions(shard)], [group, ...own.map(({ entryId }) => entryId)])
        )
      )
    },

    /** Makes decisions of admissions older than `idleMs`. @returns how many */
    async sweep(idleMs: number): Promise<number> {
      const moved = await Promise.all(
        keys.shards.map((shard) =>
          sweepAdmitted([keys.decisions(shard), keys.admitted(shard)], [idleMs, 500, maxStreamLength])
        )
      )
      return moved.reduce<number>((sum, count) => sum + Number(count), 0)
    },

    /** Takes this consumer, and those that have been silent for `idleMs` with nothing in their hands, off the list. */
    async forgetConsumers(idleMs: number, self: boolean): Promise<void> {
      await Promise.all(
        keys.shards.map(async (shard) => {
          const stream = keys.decisions(shard)
          const reply = await withGroup(shard, () => redis.xinfo('CONSUMERS', stream, group))
          for (const { name, pending, idle } of (reply as unknown[][]).map(consumerOf)) {
            const silent = self ? name === consumer : idle > idleMs && name !== consumer
            if (silent && pending === 0) await redis.xgroup('DELCONSUMER', stream, group, name)
          }
        })
      )
    },

    /** @returns entries not settled yet, and admissions not finished yet */
    async lengths(): Promise<{ decisions: number; admitted: number }> {
      const sum = async (name: (shard: number) => string) => {
        const lengths = await Promise.all(keys.shards.map((shard) => redis.xlen(name(shard))))
        return lengths.reduce((total, length) => total + length, 0)
      }
      const [decisions, admitted] = await Promise.all([sum(keys.decisions), sum(keys.admitted)])
      return { decisions, admitted }
    }
  }
}

function consumerOf(reply: unknown[]) {
  const value = (name: string) => reply[reply.indexOf(name) + 1]
  return { name: String(value('name')), pending: Number(value('pending')), idle: Number(value('idle')) }
}
