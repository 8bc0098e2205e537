/** Somebody was at a place between two moments, as far as the next of the same two is not longer away than a window. */
export type Presence = { place: string; who: string; first: number; last: number }

export type SharedAddress = {
  place: string
  /** the most different ones within any window */
  most: number
  /** everyone who was there in a window that held at least as many as asked for */
  members: Set<string>
}

type Stay = { who: string; start: number; end: number }

/**
 * Where at least `least` different ones were within one sliding window, (end - window, end]. Someone counts in the
 * windows that end from the moment they were seen until a window's length after it; the number of those who overlap at
 * a moment is the number of different ones in the window that ends then.
 * @param presences `first` and `last` of each may be at most a window apart
 */
export function findSharedAddresses(presences: Presence[], windowMs: number, least: number): SharedAddress[] {
  return Array.from(Map.groupBy(presences, ({ place }) => place)).flatMap(([place, all]) => {
    const stays = staysOf(all, windowMs)
    const { most, crowded } = crowding(stays, least)
    if (most < least) return []
    const members = stays.filter(({ start, end }) => crowded.some((time) => time.start < end && start < time.end))
    return [{ place, most, members: new Set(members.map(({ who }) => who)) }]
  })
}

/** One after another for each of them, without overlaps. */
function staysOf(presences: Presence[], windowMs: number): Stay[] {
  return Array.from(Map.groupBy(presences, ({ who }) => who)).flatMap(([who, own]) => {
    const stays: Stay[] = []
    for (const { first, last } of own.toSorted((a, b) => a.first - b.first)) {
      const current = stays.at(-1)
      if (current && first <= current.end) current.end = Math.max(current.end, last + windowMs)
      else stays.push({ who, start: first, end: last + windowMs })
    }
    return stays
  })
}

/** The most stays at once, and the times in which there were enough; a stay does not hold its own end. */
function crowding(stays: Stay[], least: number): { most: number; crowded: { start: number; end: number }[] } {
  const steps = stays
    .flatMap(({ start, end }) => [
      { at: start, change: 1 },
      { at: end, change: -1 }
    ])
    .sort((a, b) => a.at - b.at || a.change - b.change)
  const crowded: { start: number; end: number }[] = []
  let most = 0
  let count = 0
  for (const { at, change } of steps) {
    count += change
    most = Math.max(most, count)
    if (change === 1 && count === least) crowded.push({ start: at, end: Number.POSITIVE_INFINITY })
    else if (change === -1 && count === least - 1) (crowded.at(-1) as { end: number }).end = at
  }
  return { most, crowded }
}
