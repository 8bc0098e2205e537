import type { MannerName } from './manners/manners.ts'

/** Something that goes wrong on purpose. It strikes the requests that match all of `path`, `model` and `contains`. */
export type Fault = FaultMatch &
  (
    | {
        /** An error answer in the API's words, or with `body` in another server's. Nothing is billed. */
        kind: 'status'
        status: number
        retryAfterMs?: number
        /** instead of those that say when to come again */
        headers?: Record<string, string>
        /** a text is sent as it is, anything else as JSON */
        body?: unknown
      }
    | {
        /** The connection is reset before anything is answered; with `billed` after the work was done. */
        kind: 'reset'
        billed?: boolean
      }
    | {
        /** Nothing is ever answered; with `billed` the prompt is billed once the client gives up. */
        kind: 'hang'
        billed?: boolean
      }
    | {
        /**
         * The connection breaks after this many content or tool pieces (a plain answer breaks in the middle of its
         * body). With `withUsage` the usage so far is sent first.
         */
        kind: 'cut'
        afterChunks?: number
        withUsage?: boolean
      }
    | {
        /** The stream ends in good order after this many pieces (all, unless told), without finish reason or usage. */
        kind: 'no-finish'
        afterChunks?: number
      }
    | {
        /** Status 200 with a body (or a first event) that is no JSON. The work is billed. */
        kind: 'malformed'
      }
    | {
        /** The request is served as some servers do it that are compatible with the API in their own way. */
        kind: 'manner'
        name: MannerName
        /** false: and never as a stream */
        streams?: boolean
      }
  )

type FaultMatch = {
  /** A part of the request's path. */
  path?: string
  model?: string
  /** A part of the request's body. */
  contains?: string
  /** How often it strikes: 1 unless told; null without end. */
  times?: number | null
  /** How likely it strikes a request that matches, 0 to 1: 1 unless told. Drawn from the seeded generator. */
  probability?: number
}

export type FaultTarget = { path: string; model: string; body: string }

export type FaultBox = ReturnType<typeof createFaultBox>

/** The faults that are still to come, in the order in which they are tried. */
export function createFaultBox() {
  let waiting: Fault[] = []
  let random = seededRandom(1)
  return {
    /** Replaces the script and starts the random numbers anew. */
    set(faults: readonly Fault[], seed: number): void {
      waiting = faults.map((fault) => ({ ...fault }))
      random = seededRandom(seed)
    },
    add(fault: Fault): void {
      waiting.push({ ...fault })
    },
    list: (): Fault[] => waiting.map((fault) => ({ ...fault })),
    /** The first fault that strikes this request, if any; one-shot faults are used up by it. */
    strike(target: FaultTarget): Fault | undefined {
      for (const fault of waiting) {
        if (!matches(fault, target) || random() >= (fault.probability ?? 1)) continue
        const times = fault.times === undefined ? 1 : fault.times
        if (times !== null) {
          if (times <= 1) waiting = waiting.filter((other) => other !== fault)
          else fault.times = times - 1
        }
        return fault
      }
      return undefined
    }
  }
}

function matches(fault: FaultMatch, { path, model, body }: FaultTarget): boolean {
  return (
    (fault.path === undefined || path.includes(fault.path)) &&
    (fault.model === undefined || fault.model === model) &&
    (fault.contains === undefined || body.includes(fault.contains))
  )
}

/** Numbers in [0, 1) that repeat for the same seed (mulberry32, public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
