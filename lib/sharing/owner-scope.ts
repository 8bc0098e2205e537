import { AsyncLocalStorage } from 'node:async_hooks'

/** For whom something is done, known however deep the code is that shares something out. */
export type OwnerScope = {
  /** Does the work, and everything that it begins, for this owner. */
  run<T>(owner: string, work: () => T): T
  /** `''` outside of any: the platform's own work */
  current(): string
}

export function createOwnerScope(): OwnerScope {
  const storage = new AsyncLocalStorage<string>()
  return { run: (owner, work) => storage.run(owner, work), current: () => storage.getStore() ?? '' }
}
