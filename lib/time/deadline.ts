/** Says that something took too long; the something goes on by itself. */
export class DeadlineError extends Error {
  constructor(limitMs: number) {
    super(`no answer within ${limitMs} ms`)
    this.name = 'DeadlineError'
  }
}

/**
 * Waits for a promise, but not for ever.
 * When the time is up, answers that arrived while this process itself was busy are still read before giving up.
 * @throws DeadlineError after `limitMs`, and whatever the promise rejects with before
 */
export function within<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => reject(new DeadlineError(limitMs))), limitMs)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
