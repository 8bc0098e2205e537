import type { DeadLetters } from './dead-letters.ts'
import { isOutage } from '../errors/outage.ts'
import { createBisect } from '../batches/bisect.ts'

/** Work that takes the next so many rows of a table by itself. */
export type Sweep<R> = {
  /** for the next ones, in as few statements as can be; leaves out what was set aside */
  all: () => Promise<R>
  /** keys of the next ones */
  next: () => Promise<string[]>
  /** for these alone */
  these: (keys: readonly string[]) => Promise<unknown>
}

/**
 * Keeps one bad row from stopping such work for ever: when it fails, and not because a service is away, the rows are
 * looked up and tried in halves, and the one that fails alone is put aside.
 * @param kind of its dead letters: what `all` and `next` leave out (`notSetAside`)
 * @returns what `all` came to, or `undefined` when it failed and the others were done nevertheless: there may be more
 */
export function createSweeper({ kind, deadLetters }: { kind: string; deadLetters: DeadLetters }) {
  const bisect = createBisect<string>({ setAside: (key, error) => deadLetters.setAside({ kind, key, error }) })
  return async <R>({ all, next, these }: Sweep<R>): Promise<R | undefined> => {
    try {
      return await all()
    } catch (error) {
      if (isOutage(error)) throw error
      const keys = await next()
      if (keys.length === 0) throw error
      const end = await bisect(keys, async (part) => {
        await these(part)
        return undefined
      })
      if (end.error !== undefined) throw end.error
      return undefined
    }
  }
}
