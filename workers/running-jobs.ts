/** Why a run was aborted: what happens to its row afterwards depends on it. */
export type AbortReason = 'lost' | 'shutdown'

export class RunAborted extends Error {
  readonly reason: AbortReason
  constructor(reason: AbortReason) {
    super(reason === 'lost' ? 'the run is no longer in charge of its job' : 'the worker is shutting down')
    this.name = 'AbortError'
    this.reason = reason
  }
}

export type RunningJobs = ReturnType<typeof createRunningJobs>

/** The runs of this process, and the way to abort them. */
export function createRunningJobs() {
  const runs = new Map<string, { run: number; controller: AbortController }>()
  return {
    has: (id: string): boolean => runs.has(id),
    list: (): { id: string; run: number }[] => [...runs].map(([id, { run }]) => ({ id, run })),
    size: (): number => runs.size,
    /** @returns the run's signal, and a function that takes it off the list */
    add(id: string, run: number): { signal: AbortSignal; remove: () => void } {
      const entry = { run, controller: new AbortController() }
      runs.set(id, entry)
      return {
        signal: entry.controller.signal,
        remove: () => {
          if (runs.get(id) === entry) runs.delete(id)
        }
      }
    },
    /** @param run only this one; absent: whichever runs */
    abort(id: string, reason: AbortReason, run?: number): void {
      const entry = runs.get(id)
      if (run === undefined || entry?.run === run) entry?.controller.abort(new RunAborted(reason))
    },
    abortAll(reason: AbortReason): void {
      for (const { controller } of runs.values()) controller.abort(new RunAborted(reason))
    }
  }
}
