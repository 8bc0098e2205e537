import { describeFailure, NamedFailure, retryDelayMs } from '../errors/failure.ts'
import type { Logger } from '../logger.ts'
import { isOutage } from '../errors/outage.ts'
import type { DeadLetterStore, DueDeadLetter } from '../store/operations/dead-letters.ts'

/**
 * Tries what was put aside once more, by itself.
 * Resolves when it is done, or need not be done any more; rejects with why not.
 */
export type RetryDeadLetter = (letter: Pick<DueDeadLetter, 'key' | 'payload'>) => Promise<void>

const atOnce = 10
const leaseMs = 5 * 60_000
const afterOutageMs = 30_000

/**
 * Tries those again for which it is time.
 * @param handlers by kind
 * @returns the look: how many were tried
 */
export function createDeadLetterRetry({
  store,
  handlers,
  log
}: {
  store: Pick<DeadLetterStore, 'takeDue' | 'putBack' | 'remove'>
  handlers: Readonly<Record<string, RetryDeadLetter>>
  log: Logger
}): () => Promise<number> {
  async function retry(letter: DueDeadLetter): Promise<void> {
    const { id, kind, key, attempts } = letter
    const handler = handlers[kind]
    try {
      if (!handler) throw new NamedFailure('unknown_kind', 'this version does no such work')
      await handler(letter)
      await store.remove(id)
      log.info({ kind, member: key }, 'what had been put aside is done')
    } catch (error) {
      if (isOutage(error)) return await store.putBack(id, undefined, afterOutageMs)
      const failure = describeFailure(error)
      log.warn({ kind, member: key, ...failure }, 'what had been put aside failed once more')
      await store.putBack(id, failure, retryDelayMs(error, attempts + 1))
    }
  }

  return async () => {
    const due = await store.takeDue(atOnce, leaseMs)
    await Promise.all(due.map(retry))
    return due.length
  }
}
