/** Who has how many of an action's places in this process. A group is the address that owners share, or one owner alone. */
export type OwnerConcurrency = {
  take(owner: string, group: string): void
  /** @param ofPool whether the place is one that the process has by itself */
  free(owner: string, group: string, ofPool: boolean): void
  of(owner: string): number
  /** places that are taken, and the most that one owner, and one group, have of them */
  counts(): { taken: number; mostOfOne: number; mostOfGroup: number }
  /** how often a place that the process has by itself became free since it began */
  ended(): number
}

function add(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const now = (counts.get(key) ?? 0) + change
  if (now > 0) counts.set(key, now)
  else counts.delete(key)
}

export function createOwnerConcurrency(): OwnerConcurrency {
  const seats = new Map<string, number>()
  const groups = new Map<string, number>()
  let taken = 0
  let ended = 0
  return {
    take(owner, group) {
      taken += 1
      add(seats, owner, 1)
      add(groups, group, 1)
    },
    free(owner, group, ofPool) {
      taken -= 1
      if (ofPool) ended += 1
      add(seats, owner, -1)
      add(groups, group, -1)
    },
    of: (owner) => seats.get(owner) ?? 0,
    counts: () => ({
      taken,
      mostOfOne: Math.max(0, ...seats.values()),
      mostOfGroup: Math.max(0, ...groups.values())
    }),
    ended: () => ended
  }
}
