const kib = 1024
const mib = 1024 * kib

/** What a body may be at most, once it is unpacked. */
export type BodyLimits = {
  bytes: number
  /** elements of arrays and members of objects, all together */
  values: number
}

/** Of a route that says nothing else. */
export const usualBody: BodyLimits = { bytes: mib, values: 1_000 }

/** Of a route whose fields are all short: names, addresses, ids, numbers. */
export const smallBodyBytes = 32 * kib

/** A larger body is parsed on a thread: what is smaller costs less than to ask one. */
export const inlineBytes = 64 * kib

/** Large bodies that are held in memory at once, in all and of one person, each at most as large as its route allows. */
export const largeBodies = { atOnce: 6, ofOwner: 2, waitingOfOwner: 20, longestWaitMs: 20_000, longestMs: 120_000 }

/** What may come of a body that nobody reads any more, before its connection is cut: a client reads its answer then. */
export const unreadBytes = 16 * mib
export const unreadMs = 5_000

export const sizeText = (bytes: number): string => (bytes >= mib ? `${bytes / mib} MiB` : `${bytes / kib} KiB`)
