import type { Redis } from 'ioredis'
import type { Logger } from '../logger.ts'
import { type DeltaEntry, type DeltaWriter, openDeltaWriter } from './delta-writer.ts'
import { redisChannels } from '../redis/channels.ts'
import { defineScript } from '../redis/script.ts'

export type Deltas = { open(jobId: string, run: number): DeltaWriter }

export const deltaKey = (prefix: string, jobId: string): string => `${prefix}:deltas:${jobId}`

const keptEntries = 20_000
const ttlMs = 3_600_000
const ttlAfterEndMs = 600_000

/** Writes the streams that `delta-feed.ts` reads; the script's header says what is in them. */
export function createDeltas({ redis, prefix, log }: { redis: Redis; prefix: string; log: Logger }): Deltas {
  const append = defineScript<number>(redis, new URL('./deltas.lua', import.meta.url))
  const channel = redisChannels(prefix).deltas

  async function write(jobId: string, run: number, known: number, entries: DeltaEntry[]): Promise<number> {
    const ended = entries.at(-1)?.kind === 'end'
    return await append(
      [deltaKey(prefix, jobId)],
      [
        run,
        known,
        keptEntries,
        ended ? ttlAfterEndMs : ttlMs,
        channel,
        jobId,
        ...entries.flatMap(({ kind, text }) => [kind, text])
      ]
    )
  }

  return {
    open: (jobId, run) => openDeltaWriter({ write: (known, entries) => write(jobId, run, known, entries), run, log })
  }
}
