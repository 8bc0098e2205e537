/** What was found out not long ago. */
export type Remembered<K, V> = {
  get(key: K): V | undefined
  set(key: K, value: V): void
  forget(key: K): void
  clear(): void
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
  // In the order in which they were set, which is that in which they run out.
  const entries = new Map<K, { value: V; until: number }>()

  return {
    get(key) {
      const entry = entries.get(key)
      if (!entry) return undefined
      if (entry.until > now()) return entry.value
      entries.delete(key)
      return undefined
    },
    set(key, value) {
      entries.delete(key)
      entries.set(key, { value, until: now() + forMs })
      if (entries.size <= most) return
      for (const oldest of entries.keys()) {
        entries.delete(oldest)
        return
      }
    },
    forget(key) {
      entries.delete(key)
    },
    clear() {
      entries.clear()
    }
  }
}
