/** Bytes that are looked at before others have their turn: two or three milliseconds. */
const bytesOfTurn = 512 * 1024

export type Pace = {
  /** Counts work of this turn of the event loop. @returns what to wait for before there is more, if enough was done */
  spend(bytes: number): Promise<void> | undefined
}

/**
 * Keeps all bodies together from filling a turn of the event loop: a socket hands over up to 2 MiB at once, and ten of
 * them twenty, before anything else happens.
 */
export function createPace(): Pace {
  let spent = 0
  let nextTurn: Promise<void> | undefined
  return {
    spend(bytes) {
      nextTurn ??= new Promise((resolve) =>
        setImmediate(() => {
          spent = 0
          nextTurn = undefined
          resolve()
        })
      )
      spent += bytes
      return spent > bytesOfTurn ? nextTurn : undefined
    }
  }
}
