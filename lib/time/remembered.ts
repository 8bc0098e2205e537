/** What was found out not long ago. */
export type Remembered<K, V> = {
  get(key: K): V | undefined
  set(key: K, value: V): void
  /** What sets values as of now: for what is about to be found out, and may be out of date when it is. */
  begin(): (key: K, value: V) => void
  forgetWhere(test: (value: V) => boolean): void
}

/**
 * Remembers values for a while after they were set, however often they are read.
 * @param most so many values at most: beyond that the oldest goes
 * @param now milliseconds of a clock that only goes forward
 */
export function createRemembered<K, V>({
  forMs,
  most,
  now = () => performance.now()
}: {
  forMs: number
  most: number
  now?: () => number
}): Remembered<K, V> {
  // In the order in which they were set, which is about that in which they run out.
  const entries = new Map<K, { value: V; until: number }>()

  function remember(key: K, value: V, at: number): void {
    entries.delete(key)
    entries.set(key, { value, until: at + forMs })
    if (entries.size <= most) return
    for (const oldest of entries.keys()) {
      entries.delete(oldest)
      return
    }
  }

  return {
    get(key) {
      const entry = entries.get(key)
      if (!entry) return undefined
      if (entry.until > now()) return entry.value
      entries.delete(key)
      return undefined
    },
    set: (key, value) => remember(key, value, now()),
    begin() {
      const at = now()
      return (key, value) => remember(key, value, at)
    },
    forgetWhere(test) {
      for (const [key, { value }] of entries) if (test(value)) entries.delete(key)
    }
  }
}
