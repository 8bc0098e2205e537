import { AppError } from '../errors/app-error.ts'

export type TurnsOptions = {
  /** names the work in error messages: `syntax checks` */
  name: string
  /** turns at once */
  places: number
  /** turns of one owner at once; all places unless given */
  placesOfOwner?: number
  /** turns that one owner may have waiting; more are refused at once */
  waitingOfOwner?: number
  /** ms that a turn may be waited for */
  longestWaitMs?: number
  /** ms after which a turn that has begun loses its place */
  longestTurnMs: number
  /** whether an owner whose last turn lost its place is served after all others who wait */
  lateYield?: boolean
}

/** Owners who were late that are remembered. */
const lateRemembered = 10_000

export type Turns = {
  /**
   * Does the work when it is its owner's turn.
   * @param work gets a signal that is aborted when its time is over or `signal` is aborted
   * @param turnMs its time, when it is not `longestTurnMs`
   * @returns what the work returned
   * @throws AppError `busy` (503 with Retry-After) when too much of this owner waits or the wait took too long;
   *   TurnOverdue when the work took too long: its place is free again, whether or not it heeds its signal
   */
  run<T>(owner: string, work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal, turnMs?: number): Promise<T>
  counts(): { running: number; waiting: number }
}

/** A turn that lost its place because it took longer than it may. */
export class TurnOverdue extends Error {
  override name = 'TurnOverdue'
}

type Waiting = { begin: () => void }

/**
 * Shares a few places between owners: whoever waits is served in turn, owner by owner (round robin, as in
 * J. Nagle, RFC 970, "On packet switches with infinite storage"), so that one with a thousand requests delays another's
 * first by one turn and not by a thousand.
 */
export function createTurns({
  name,
  places,
  placesOfOwner = places,
  waitingOfOwner = 1_000,
  longestWaitMs = 30_000,
  longestTurnMs,
  lateYield = false
}: TurnsOptions): Turns {
  /** owners who wait, in the order in which they are served next; a map keeps the order of insertion */
  const lines = new Map<string, Waiting[]>()
  const runningOf = new Map<string, number>()
  let running = 0

  /** owners whose last turn was overdue */
  const late = new Set<string>()

  function serve(): void {
    if (late.size > 0) serveThose((owner) => !late.has(owner))
    serveThose(() => true)
  }

  function serveThose(isServed: (owner: string) => boolean): void {
    for (const [owner, line] of lines) {
      if (running >= places) return
      if (!isServed(owner)) continue
      if ((runningOf.get(owner) ?? 0) >= placesOfOwner) continue
      const next = line.shift()
      lines.delete(owner)
      if (line.length > 0) lines.set(owner, line) // behind everybody else who waits
      next?.begin()
    }
  }

  function remember(owner: string): void {
    late.add(owner)
    if (late.size > lateRemembered) late.delete(late.values().next().value as string)
  }

  function take(owner: string): void {
    running++
    runningOf.set(owner, (runningOf.get(owner) ?? 0) + 1)
  }

  function free(owner: string): void {
    running--
    const left = (runningOf.get(owner) ?? 1) - 1
    if (left > 0) runningOf.set(owner, left)
    else runningOf.delete(owner)
    serve()
  }

  function leave(owner: string, waiting: Waiting): void {
    const line = lines.get(owner)
    const at = line?.indexOf(waiting) ?? -1
    if (!line || at < 0) return
    line.splice(at, 1)
    if (line.length === 0) lines.delete(owner)
  }

  function wait(owner: string, signal: AbortSignal | undefined): Promise<void> {
    const line = lines.get(owner) ?? []
    if (line.length >= waitingOfOwner) throw busy(name, longestWaitMs)
    return new Promise<void>((resolve, reject) => {
      const end = (error: unknown) => {
        leave(owner, waiting)
        settle()
        reject(error as Error)
      }
      const onAbort = () => end(signal?.reason)
      const timer = setTimeout(() => end(busy(name, longestWaitMs)), longestWaitMs)
      const settle = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      const waiting: Waiting = {
        begin() {
          settle()
          take(owner)
          resolve()
        }
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      line.push(waiting)
      lines.set(owner, line)
    })
  }

  return {
    async run(owner, work, signal, turnMs = longestTurnMs) {
      signal?.throwIfAborted()
      const isFree = running < places && (runningOf.get(owner) ?? 0) < placesOfOwner && !lines.has(owner)
      if (isFree) take(owner)
      else await wait(owner, signal)

      const overdue = new AbortController()
      const timer = setTimeout(() => {
        if (lateYield) remember(owner)
        overdue.abort(new TurnOverdue(`${name}: took longer than ${turnMs} ms`))
      }, turnMs)
      const ended = signal ? AbortSignal.any([signal, overdue.signal]) : overdue.signal
      try {
        const result = await Promise.race([work(ended), aborted(ended)])
        late.delete(owner)
        return result
      } finally {
        clearTimeout(timer)
        free(owner)
      }
    },
    counts: () => ({ running, waiting: [...lines.values()].reduce((sum, line) => sum + line.length, 0) })
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const end = () => reject(signal.reason as Error)
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })
}

function busy(name: string, longestWaitMs: number): AppError {
  return new AppError('busy', `Too many requests wait for ${name}`, {
    headers: { 'Retry-After': String(Math.max(1, Math.ceil(longestWaitMs / 10_000))) }
  })
}
