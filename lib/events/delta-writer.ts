import type { Logger } from '../logger.ts'
import { orAborted, pause } from '../time/pause.ts'

/**
 * Tells the text of one run of a job while it is made. News only: nothing here waits for Redis, throws, or holds a job
 * up. The texts of the last run since its last reset make the final content.
 */
export type DeltaWriter = {
  append(text: string): void
  /** What came so far is not part of the answer. */
  reset(): void
  /**
   * Says that no more comes and waits until it is said, for up to a second. To be awaited before the job's end is
   * committed, so that the text is out before the news of the end.
   */
  close(): Promise<void>
}

export type DeltaEntry = { kind: 'text' | 'reset' | 'end'; text: string }

/** Pieces that come faster than this are sent together. */
const gatherMs = 15
/** Wait before the next try while Redis cannot be reached. */
const retryMs = 500
const closeMs = 1_000

/**
 * One write is under way at a time, the first piece goes out at once, and what comes meanwhile is gathered. When a
 * write fails, or Redis has lost what was there before, everything since the last reset is said again after a new one,
 * so what readers put together is right again.
 * @param write as the script of `deltas.lua`: takes the last seq that is known to be written, returns the new one
 */
export function openDeltaWriter({
  write,
  run,
  log
}: {
  write: (known: number, entries: DeltaEntry[]) => Promise<number>
  run: number
  log: Logger
}): DeltaWriter {
  const closing = new AbortController()
  const givingUp = new AbortController()
  let waiting: DeltaEntry[] = []
  /** all text since the last reset */
  let whole = ''
  /** half of a surrogate pair, which cannot be sent as UTF-8 and waits for its other half */
  let half = ''
  let known = 0
  let writtenAt = Number.NEGATIVE_INFINITY
  // A run that follows another says so at once: what that one told is no part of the answer.
  let announce = run > 1
  let state: 'sound' | 'repeat' | 'unreachable' | 'overtaken' = 'sound'
  let pumping: Promise<void> | undefined

  function take(): DeltaEntry[] {
    const entries = waiting
    waiting = []
    if (state === 'sound') return entries
    const everything: DeltaEntry[] = [{ kind: 'reset', text: '' }]
    if (whole) everything.push({ kind: 'text', text: whole })
    if (closing.signal.aborted) everything.push({ kind: 'end', text: '' })
    return everything
  }

  async function flush(): Promise<void> {
    try {
      const answer = await write(known, take())
      announce = false
      state = answer === -1 ? 'overtaken' : answer === -2 ? 'repeat' : 'sound'
      if (answer >= 0) known = answer
    } catch (error) {
      if (state !== 'unreachable') log.warn({ err: error }, 'text of a running job could not be told')
      state = 'unreachable'
    }
    writtenAt = performance.now()
  }

  const more = () => state !== 'overtaken' && (waiting.length > 0 || announce || state !== 'sound')

  async function pump(): Promise<void> {
    while (more() && !givingUp.signal.aborted) {
      const waitMs = state === 'unreachable' ? retryMs : writtenAt + gatherMs - performance.now()
      if (waitMs > 0) await pause(waitMs, state === 'sound' ? closing.signal : givingUp.signal)
      await flush()
    }
  }

  function kick(): void {
    pumping ??= pump().finally(() => {
      pumping = undefined
      if (more() && !givingUp.signal.aborted) kick()
    })
  }
  if (announce) kick()

  return {
    append(piece) {
      if (closing.signal.aborted || state === 'overtaken') return
      const joined = half + piece
      half = /[\uD800-\uDBFF]$/.test(joined) ? joined.slice(-1) : ''
      const text = half ? joined.slice(0, -1) : joined
      if (text === '') return
      whole += text
      const last = waiting.at(-1)
      if (last?.kind === 'text') last.text += text
      else waiting.push({ kind: 'text', text })
      kick()
    },
    reset() {
      if (closing.signal.aborted || state === 'overtaken') return
      whole = half = ''
      waiting = [{ kind: 'reset', text: '' }]
      kick()
    },
    async close() {
      if (closing.signal.aborted) return
      waiting.push({ kind: 'end', text: '' })
      closing.abort()
      kick()
      if (pumping) await orAborted(pumping, AbortSignal.timeout(closeMs))
      givingUp.abort()
    }
  }
}
