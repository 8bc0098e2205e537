import type { Redis } from 'ioredis'
import type { Logger } from '../logger.ts'
import { deltaKey } from './deltas.ts'
import { pause } from '../time/pause.ts'
import { redisChannels } from '../redis/channels.ts'

/** Text of a running job as it goes to a client; `seq` rises over all runs of the job. */
export type Delta =
  | { type: 'delta'; run: number; seq: number; text: string }
  | { type: 'reset'; run: number; seq: number }

export type DeltaFeed = {
  start(): void
  stop(): Promise<void>
  /**
   * Delivers the text of a job: what Redis still has after `afterSeq`, then what comes. Without `afterSeq`, everything
   * since the last reset, or nothing old when the text has come to its end.
   * @param deliver may return a promise while old text is read, to be given no more than it can take
   */
  follow(jobId: string, afterSeq: number | undefined, deliver: (delta: Delta) => void | Promise<void>): Following
}

export type Following = {
  /** Looks once more and resolves when everything that Redis has by now is delivered; waits while it cannot be read. */
  catchUp(): Promise<void>
  stop(): void
}

type Entry = { seq: number; run: number; kind: string; text: string }
type Follower = { take(entries: Entry[]): void; reread(): Promise<void> }

const pageSize = 500
const retryMs = 1_000

/**
 * Reads what `deltas.ts` writes, for all sockets and streams of one API process, over one subscription.
 * A message that was lost shows as a gap in the seqs, and the stream is read instead.
 * @param subscriber a Redis client in subscriber mode; may be shared with others
 */
export function createDeltaFeed({
  redis,
  subscriber,
  prefix,
  log
}: {
  redis: Pick<Redis, 'xrange' | 'xrevrange'>
  subscriber: Redis
  prefix: string
  log: Logger
}): DeltaFeed {
  const channel = redisChannels(prefix).deltas
  const followers = new Map<string, Set<Follower>>()
  const stopping = new AbortController()

  function onMessage(from: string, message: string): void {
    if (from !== channel) return
    const space = message.indexOf(' ')
    const own = followers.get(message.slice(0, space))
    if (!own) return
    const told = JSON.parse(message.slice(space + 1)) as [number, number, string, string][]
    const entries = told.map(([seq, run, kind, text]) => ({ seq, run, kind, text }))
    for (const follower of own) follower.take(entries)
  }

  /** Messages may have been missed while the connection was away. */
  function onReady(): void {
    for (const own of followers.values()) for (const follower of own) void follower.reread()
  }

  async function readAfter(jobId: string, seq: number): Promise<Entry[]> {
    const rows = await redis.xrange(deltaKey(prefix, jobId), `(${seq}-0`, '+', 'COUNT', pageSize)
    return rows.map(toEntry)
  }

  function createFollower(
    jobId: string,
    afterSeq: number | undefined,
    deliver: (delta: Delta) => void | Promise<void>,
    ended: AbortSignal
  ): Follower {
    let cursor = afterSeq ?? 0
    let fresh = afterSeq === undefined
    let reading: Promise<void> | undefined
    let again = false

    function hand({ seq, run, kind, text }: Entry): void | Promise<void> {
      cursor = seq
      if (kind === 'text') return deliver({ type: 'delta', run, seq, text })
      if (kind === 'reset') return deliver({ type: 'reset', run, seq })
    }

    async function readPages(): Promise<void> {
      if (fresh) {
        const [newest] = await redis.xrevrange(deltaKey(prefix, jobId), '+', '-', 'COUNT', 1)
        const last = newest && toEntry(newest)
        if (last?.kind === 'end') cursor = Math.max(cursor, last.seq)
        fresh = false
      }
      for (;;) {
        const page = await readAfter(jobId, cursor)
        for (const entry of page) {
          if (ended.aborted) return
          if (entry.seq > cursor) await hand(entry)
        }
        if (page.length < pageSize) return
      }
    }

    async function read(): Promise<void> {
      do {
        again = false
        try {
          await readPages()
        } catch (error) {
          log.warn({ err: error }, 'text of a running job could not be read')
          again = true
          await pause(retryMs, ended)
        }
      } while (again && !ended.aborted)
      reading = undefined
    }

    const reread = () => {
      again = true
      reading ??= read()
      return reading
    }
    void reread()
    return {
      reread,
      take(entries) {
        for (const entry of entries) {
          if (reading) again = true
          else if (entry.seq <= cursor) continue
          else if (entry.seq === cursor + 1 || entry.kind === 'reset') void hand(entry)
          else void reread()
        }
      }
    }
  }

  return {
    start() {
      subscriber.on('message', onMessage)
      subscriber.on('ready', onReady)
      subscriber.subscribe(channel).catch((error: unknown) => log.warn({ err: error }, 'no text of running jobs'))
    },
    async stop() {
      stopping.abort()
      subscriber.off('message', onMessage)
      subscriber.off('ready', onReady)
      followers.clear()
    },
    follow(jobId, afterSeq, deliver) {
      const ending = new AbortController()
      const ended = AbortSignal.any([ending.signal, stopping.signal])
      const follower = createFollower(jobId, afterSeq, deliver, ended)
      const own = followers.get(jobId) ?? new Set()
      followers.set(jobId, own.add(follower))
      return {
        catchUp: follower.reread,
        stop() {
          ending.abort()
          own.delete(follower)
          if (own.size === 0 && followers.get(jobId) === own) followers.delete(jobId)
        }
      }
    }
  }
}

/** An entry as the script writes it: id `seq-0`, fields run, kind, text. */
function toEntry([id, fields]: [string, string[]]): Entry {
  return { seq: Number.parseInt(id, 10), run: Number(fields[1]), kind: fields[3] as string, text: fields[5] as string }
}
