import type { Logger } from '../lib/logger.ts'
import type { AiAction } from '../lib/actions/actions.ts'
import type { Pool } from './pool.ts'

export type ExtraConcurrency = {
  /** Opens places that take jobs until `closeOpen`. */
  open(action: AiAction, places: number): void
  /** Takes nothing further in the open ones; what runs there goes on. */
  closeOpen(): void
  /** places whose jobs still run */
  count(action: AiAction): number
  /** Resolves when what runs in added places has ended. */
  stop(): Promise<void>
}

/** Places beside those that a process has by itself: open for a moment, and counted until what they took has ended. */
export function createExtraConcurrency({
  openPool,
  log
}: {
  openPool: (action: AiAction, places: number) => Pool
  log: Logger
}): ExtraConcurrency {
  const open = new Map<AiAction, { pool: Pool; places: number }>()
  /** closed, with jobs that still run */
  const closing = new Set<{ action: AiAction; places: number; closed: Promise<void> }>()

  function closeOpen(): void {
    for (const [action, { pool, places }] of open) {
      const entry = { action, places, closed: pool.close() }
      closing.add(entry)
      void entry.closed
        .catch((error: unknown) => log.warn({ err: error }, 'added places could not be closed'))
        .finally(() => closing.delete(entry))
    }
    open.clear()
  }

  return {
    open: (action, places) => void open.set(action, { pool: openPool(action, places), places }),
    closeOpen,
    count: (action) => [...closing].reduce((sum, entry) => sum + (entry.action === action ? entry.places : 0), 0),
    async stop() {
      closeOpen()
      await Promise.all([...closing].map(({ closed }) => closed))
    }
  }
}
