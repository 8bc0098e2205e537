import type { Redis } from 'ioredis'

export type ProgressBoard = ReturnType<typeof createProgressBoard>

const ttlSeconds = 3_600
const shortestMs = 100

/** How far running jobs are. News, not truth: it lives in Redis, and losing it costs nothing but freshness. */
export function createProgressBoard({ redis, prefix }: { redis: Redis; prefix: string }) {
  const key = (jobId: string) => `${prefix}:progress:${jobId}`
  return {
    async read(jobId: string): Promise<{ done: number; total: number } | undefined> {
      const text = await redis.get(key(jobId)).catch(() => null) // no Redis, no news
      return text ? (JSON.parse(text) as { done: number; total: number }) : undefined
    },

    /** A reporter for one run: writes at most ten times a second, and always the last value. */
    reporter(jobId: string) {
      let last: { done: number; total: number } | null = null
      let timer: NodeJS.Timeout | undefined
      const write = () => {
        timer = undefined
        void redis.set(key(jobId), JSON.stringify(last), 'EX', ttlSeconds).catch(() => undefined) // news may be lost
      }
      return {
        report(done: number, total: number): void {
          last = { done, total }
          timer ??= setTimeout(write, shortestMs)
        },
        last: () => last,
        stop: () => clearTimeout(timer)
      }
    }
  }
}
