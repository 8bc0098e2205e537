import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'

/** Time as the provider sees it; tests may bring their own. */
export type Clock = {
  /** Milliseconds since 1970. */
  now(): number
  /**
   * Waits, and rejects with the signal's reason as soon as it aborts. With 0 it lets everything that is due have its
   * turn.
   */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    if (signal.aborted) throw signal.reason
    try {
      await (ms > 0 ? delay(ms, undefined, { signal }) : nextTurn(undefined, { signal }))
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    }
  }
}

/** Rejects with the signal's reason when it aborts, and never resolves. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    else signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}
