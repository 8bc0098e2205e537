import { AsyncLocalStorage } from 'node:async_hooks'
import type { AiAction } from '../actions/actions.ts'

/** Which run of which job a model call is made for. */
export type UsageScope = { jobId: string; userId: string; action: AiAction; run: number }

export type UsageTracker = {
  /** Runs `work`; every model call made inside, however deep, is booked to `scope`. */
  runInScope<T>(scope: UsageScope, work: () => Promise<T>): Promise<T>
  /** @throws Error outside of a job: a call nobody accounts for is a bug */
  current(): UsageScope
}

/** One tracker for a process: the pool opens a scope around each job, the model client reads it when it is called. */
export function createUsageTracker(): UsageTracker {
  const storage = new AsyncLocalStorage<UsageScope>()
  return {
    runInScope: (scope, work) => storage.run(scope, work),
    current() {
      const scope = storage.getStore()
      if (!scope) throw new Error('a model was called outside of a job')
      return scope
    }
  }
}
