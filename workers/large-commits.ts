import { createTurns } from '../lib/sharing/turns.ts'

/** Longer than the largest effect takes on a machine that is busy: five minutes for 5 MiB of text. */
const longestCommitMs = 10 * 60_000
const longestWaitMs = 5 * 60_000

/**
 * Has large effects committed one at a time, owner by owner. Each keeps a connection, and a processor of the database,
 * for seconds: a few at once would leave neither to anybody else.
 */
export function createLargeCommits() {
  const turns = createTurns({
    name: 'large writes',
    places: 1,
    longestWaitMs,
    longestTurnMs: longestCommitMs
  })

  /** @throws what `commit` throws; the signal's reason when it aborts before the turn; AppError `busy` */
  return async <T>(owner: string, isLarge: boolean, signal: AbortSignal, commit: () => Promise<T>): Promise<T> => {
    if (!isLarge) return await commit()
    let committing: Promise<T> | undefined
    try {
      return await turns.run(owner, () => (committing = commit()), signal)
    } catch (error) {
      // What has begun is told as it ends, whatever became of its turn.
      if (committing) return await committing
      throw error
    }
  }
}
