/** Who has how many of an action's places in this process. */
export type Seats = {
  take(owner: string): void
  /** @param ofPool whether the place is one that the process has by itself */
  free(owner: string, ofPool: boolean): void
  of(owner: string): number
  /** places that are taken, and the most that one owner has of them */
  counts(): { taken: number; mostOfOne: number }
  /** how often a place that the process has by itself became free since it began */
  ended(): number
}

export function createSeats(): Seats {
  const seats = new Map<string, number>()
  let taken = 0
  let ended = 0
  return {
    take(owner) {
      taken += 1
      seats.set(owner, (seats.get(owner) ?? 0) + 1)
    },
    free(owner, ofPool) {
      taken -= 1
      if (ofPool) ended += 1
      const left = (seats.get(owner) ?? 1) - 1
      if (left > 0) seats.set(owner, left)
      else seats.delete(owner)
    },
    of: (owner) => seats.get(owner) ?? 0,
    counts: () => ({ taken, mostOfOne: Math.max(0, ...seats.values()) }),
    ended: () => ended
  }
}
