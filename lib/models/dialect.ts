import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Logger } from '../logger.ts'
import { type Refusable, refusable, type Without } from './refused-parameters.ts'

/**
 * What is known of a server and its models: which parameters it refuses. Shared by all workers through Redis, and kept
 * in the process beside it, so that a request costs no look at Redis.
 */
export type Dialect = {
  /** What requests to this model go without. */
  known(model: string): Promise<Without>
  /** Remembers what a request had to go without to be answered. */
  helped(model: string, without: Without): Promise<void>
}

/** After a day each is tried once more: servers are updated. */
const rememberedMs = 24 * 3_600_000
/** How soon a process hears what another one has learnt. */
const freshMs = 60_000

/** @param baseUrl of the server */
export function createDialect({
  redis,
  prefix,
  baseUrl,
  log
}: {
  redis: Redis
  prefix: string
  baseUrl: string
  log: Logger
}): Dialect {
  const here = new Map<
    string,
    { learnt: Map<Refusable, number>; readAt: number; reading?: Promise<void> | undefined }
  >()

  function placeOf(model: string) {
    const place = here.get(model) ?? { learnt: new Map<Refusable, number>(), readAt: Number.NEGATIVE_INFINITY }
    here.set(model, place)
    return place
  }

  async function read(model: string): Promise<void> {
    const place = placeOf(model)
    try {
      const stored = await redis.hgetall(keyOf(prefix, baseUrl, model))
      for (const [name, at] of learntIn(stored)) place.learnt.set(name, Math.max(at, place.learnt.get(name) ?? 0))
    } catch {
      // without Redis a process knows what it has learnt itself
    }
    place.readAt = performance.now()
  }

  return {
    async known(model) {
      const place = placeOf(model)
      if (performance.now() - place.readAt > freshMs) {
        place.reading ??= read(model).finally(() => {
          place.reading = undefined
        })
        await place.reading
      }
      const since = Date.now() - rememberedMs
      return new Set([...place.learnt].filter(([, at]) => at > since).map(([name]) => name))
    },

    async helped(model, without) {
      const known = await this.known(model)
      const learnt = [...without].filter((name): name is Refusable => name !== 'limit' && !known.has(name))
      for (const parameter of learnt) {
        const now = Date.now()
        placeOf(model).learnt.set(parameter, now)
        if (await isNews(model, parameter, now)) {
          log.warn({ model, parameter }, 'the model provider refuses a parameter: requests go without it for a day')
        }
      }
    }
  }

  /** Of all workers, one says so in its log. */
  async function isNews(model: string, parameter: Refusable, now: number): Promise<boolean> {
    const key = keyOf(prefix, baseUrl, model)
    try {
      const before = Number(await redis.hget(key, parameter))
      await redis.hset(key, parameter, now)
      await redis.pexpire(key, rememberedMs)
      return before < now - rememberedMs
    } catch {
      return true
    }
  }
}

/** What the workers have learnt of a model, for an operator. */
export async function readDialect(redis: Redis, prefix: string, baseUrl: string, model: string): Promise<Refusable[]> {
  const since = Date.now() - rememberedMs
  return learntIn(await redis.hgetall(keyOf(prefix, baseUrl, model))).flatMap(([name, at]) => (at > since ? name : []))
}

function learntIn(stored: Record<string, string>): [Refusable, number][] {
  return refusable.flatMap((name): [Refusable, number][] => {
    const at = Number(stored[name])
    return at > 0 ? [[name, at]] : []
  })
}

function keyOf(prefix: string, baseUrl: string, model: string): string {
  return `${prefix}:dialect:${createHash('sha256').update(`${baseUrl} ${model}`).digest('base64url').slice(0, 22)}`
}
