/** Places that are taken and left; whoever waits for one is served in turn, owner by owner. */
export type Places = {
  /**
   * Takes a place.
   * @returns nothing when one was free, else a promise that resolves when it has come
   * @throws what `tooLate` makes, when the wait was too long
   */
  enter(owner: string): Promise<void> | undefined
  /** Gives a place back; to be called once for each that was taken. */
  leave(owner: string): void
}

type Line = { begin: () => void }[]

/**
 * The bare form of `createTurns`, for what is taken thousands of times a second: no deadline, no signal, and nothing
 * but a number while there is room.
 */
export function createPlaces({
  places,
  placesOf = () => places,
  longestWaitMs,
  tooLate
}: {
  places: number
  /** places of one owner at once; all unless given */
  placesOf?: (owner: string) => number
  longestWaitMs: number
  /** the error of a wait that took too long */
  tooLate: () => Error
}): Places {
  /** who waits, in the order of service; a map keeps the order of insertion */
  const lines = new Map<string, Line>()
  const takenOf = new Map<string, number>()
  let taken = 0

  const isFull = (owner: string) => (takenOf.get(owner) ?? 0) >= placesOf(owner)

  function take(owner: string): void {
    taken++
    takenOf.set(owner, (takenOf.get(owner) ?? 0) + 1)
  }

  function wait(owner: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const line = lines.get(owner) ?? []
      const waiting = {
        begin() {
          clearTimeout(timer)
          resolve()
        }
      }
      const timer = setTimeout(() => {
        line.splice(line.indexOf(waiting), 1)
        if (line.length === 0) lines.delete(owner)
        reject(tooLate())
      }, longestWaitMs)
      line.push(waiting)
      lines.set(owner, line)
    })
  }

  /** Gives a free place to whoever is next and may have one. */
  function serve(): void {
    for (const [owner, line] of lines) {
      if (isFull(owner)) continue
      const first = line.shift()
      lines.delete(owner)
      if (line.length > 0) lines.set(owner, line) // behind everybody else who waits
      take(owner)
      first?.begin()
      return
    }
  }

  return {
    enter(owner) {
      if (taken >= places || isFull(owner)) return wait(owner)
      take(owner)
      return undefined
    },
    leave(owner) {
      taken--
      const left = (takenOf.get(owner) ?? 1) - 1
      if (left > 0) takenOf.set(owner, left)
      else takenOf.delete(owner)
      serve()
    }
  }
}
