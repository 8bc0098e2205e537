export type Closers = {
  /** Whoever opens a thing says at once how it is closed. */
  add: (close: () => Promise<unknown>) => void
  /** Closes in reverse, goes on past a failure, and rejects with the first one. Later calls share the first one's end. */
  closeAll: () => Promise<void>
}

export function createClosers(): Closers {
  const stack: (() => Promise<unknown>)[] = []
  let closing: Promise<void> | undefined

  async function run(): Promise<void> {
    const failures: unknown[] = []
    for (let close = stack.pop(); close; close = stack.pop()) {
      try {
        await close()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length) throw failures[0]
  }

  return {
    add: (close) => void stack.push(close),
    closeAll: () => {
      closing ??= run()
      return closing
    }
  }
}
