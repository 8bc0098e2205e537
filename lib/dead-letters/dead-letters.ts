import { describeFailure, retryDelayMs } from '../errors/failure.ts'
import type { Logger } from '../logger.ts'
import type { DeadLetterStore } from '../store/operations/dead-letters.ts'

/** Where members of shared batches go that fail by themselves. */
export type DeadLetters = {
  /** @throws when it cannot be kept: then it is to be given again */
  setAside(letter: {
    kind: string
    key: string
    payload?: unknown
    /** may say that it can be tried again by itself; otherwise an administrator has to ask for it */
    error: unknown
  }): Promise<void>
}

export function createDeadLetters({
  store,
  log
}: {
  store: Pick<DeadLetterStore, 'setAside'>
  log: Logger
}): DeadLetters {
  return {
    async setAside({ error, ...letter }) {
      const failure = describeFailure(error)
      await store.setAside({ ...letter, failure, retryAfterMs: retryDelayMs(error, 1) })
      log.error({ kind: letter.kind, member: letter.key, ...failure }, 'one that fails by itself was put aside')
    }
  }
}
