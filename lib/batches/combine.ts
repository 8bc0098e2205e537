import { AsyncResource } from 'node:async_hooks'
import { isOutage } from '../errors/outage.ts'

/** SQLSTATE of statements that were undone for the sake of another one's: 40001 serialization_failure, 40P01 deadlock_detected. */
const lostRaces: unknown[] = ['40001', '40P01']

const isLostRace = (error: unknown): boolean => error instanceof Error && lostRaces.includes(Reflect.get(error, 'code'))

/** What one member of a batch came to. */
export type MemberResult<R> = { value: R } | { error: unknown }

export type Combined<T, R> = {
  /**
   * Does it for this member, together with whoever else waits.
   * @throws what the member's own result says, or what the whole batch failed with
   */
  (member: T): Promise<R>
}

type Waiting<T, R> = { member: T; bytes: number; resolve: (value: R) => void; reject: (error: unknown) => void }

/**
 * Does one thing for all who ask for it at the same time: members that arrive while a batch is under way form the next
 * one (group commit: J. Gray, A. Reuter, "Transaction Processing", 1993). Nobody waits on a timer: when the line is idle
 * a member goes at the end of the turn of the event loop in which it came.
 *
 * A batch that fails, and not because a service is away, or that lost a race in the database, is done in halves, down to the member that fails alone; the
 * others are done. So `run` must change nothing when it throws: one transaction, or one statement.
 * @param run gets at least one member; its results are in the order of the members
 * @param lanes so many batches are under way at most
 * @param rows most members of a batch
 * @param bytes most bytes of a batch, unless one member alone has more
 * @param halves false: a batch that fails fails whole, because some of it may have been done
 */
export function createCombined<T, R>({
  run,
  lanes,
  rows,
  bytes = Number.POSITIVE_INFINITY,
  bytesOf = () => 0,
  halves = true
}: {
  run: (members: T[]) => Promise<MemberResult<R>[]>
  lanes: number
  rows: number
  bytes?: number
  bytesOf?: (member: T) => number
  halves?: boolean
}): Combined<T, R> {
  let waiting: Waiting<T, R>[] = []
  let busy = 0
  let isScheduled = false

  function next(): Waiting<T, R>[] {
    let size = 0
    let count = 0
    for (const { bytes: own } of waiting) {
      if (count > 0 && (count === rows || size + own > bytes)) break
      size += own
      count += 1
    }
    const batch = waiting.slice(0, count)
    waiting = waiting.slice(count)
    return batch
  }

  // A batch belongs to nobody: not to the person whose member happened to begin it.
  const go = AsyncResource.bind((): void => {
    isScheduled = false
    while (busy < lanes && waiting.length > 0) {
      busy += 1
      void settle(next()).finally(() => {
        busy -= 1
        go()
      })
    }
  })

  async function settle(batch: Waiting<T, R>[]): Promise<void> {
    try {
      const results = await run(batch.map(({ member }) => member))
      for (const [index, { resolve, reject }] of batch.entries()) {
        const result = results[index]
        if (result === undefined) reject(new Error('a batch gave no result for one of its members'))
        else if ('error' in result) reject(result.error)
        else resolve(result.value)
      }
    } catch (error) {
      if (!halves || batch.length === 1 || (isOutage(error) && !isLostRace(error))) {
        for (const { reject } of batch) reject(error)
        return
      }
      const half = batch.length >> 1
      await settle(batch.slice(0, half))
      await settle(batch.slice(half))
    }
  }

  return (member) =>
    new Promise((resolve, reject) => {
      waiting.push({ member, bytes: bytesOf(member), resolve, reject })
      if (isScheduled || busy >= lanes) return
      isScheduled = true
      setImmediate(go)
    })
}
