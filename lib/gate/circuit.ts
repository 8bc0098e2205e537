import { within } from '../time/deadline.ts'

/** Whether Redis is asked at all. */
export type Circuit = {
  isOpen(): boolean
  /** Redis failed: ask it no more until it has answered in the background. */
  trip(reason: unknown): void
  close(): void
}

type Options = {
  /** a small write, done within the time a decision has, shows that Redis is well */
  probe: () => Promise<unknown>
  /** puts in order what happened meanwhile, and closes the circuit when it has */
  recover: (closeCircuit: () => void) => Promise<void>
  probeEveryMs: number
  limitMs: number
  onOpen: (reason: unknown) => void
  onProbeFailed: () => void
}

/**
 * Closed, every call goes to Redis. The first failure opens it: then nobody waits for Redis, a probe asks every
 * `probeEveryMs`, and when one is answered in time and `recover` went through, it closes again. A failure of either
 * leaves it open.
 */
export function createCircuit({ probe, recover, probeEveryMs, limitMs, onOpen, onProbeFailed }: Options): Circuit {
  let open = false
  let closed = false
  let timer: NodeJS.Timeout | undefined

  async function attempt() {
    try {
      await within(probe(), limitMs)
      await recover(() => {
        open = false
      })
    } catch {
      // Whatever it was, Redis is not to be relied on yet; why it was given up has been reported when it opened.
      onProbeFailed()
      next()
    }
  }

  function next() {
    if (closed) return
    timer = setTimeout(() => void attempt(), probeEveryMs)
    timer.unref()
  }

  return {
    isOpen: () => open,
    trip(reason) {
      if (open || closed) return
      open = true
      onOpen(reason)
      next()
    },
    close() {
      closed = true
      clearTimeout(timer)
    }
  }
}
