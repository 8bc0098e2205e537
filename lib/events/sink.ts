import type { Refused } from '../batches/bisect.ts'
import type { Failure } from '../errors/failure.ts'
import type { Outgoing } from './outgoing.ts'

/** Somewhere that events are delivered to, in order of position. */
export type Sink = {
  /** names its cursor */
  name: string
  /**
   * Delivers a batch in order and tells by `confirmed` how far the contiguous part has arrived.
   * Rejects when something did not: what is not confirmed will be given again, in smaller batches if it may be the doing
   * of one of them.
   * @returns what was refused by itself, while everything else of the batch has arrived
   */
  deliver(
    batch: readonly Outgoing[],
    confirmed: (position: number) => void,
    signal: AbortSignal
  ): Promise<Refused<Outgoing>[] | undefined>
  /** What keeps a part of the events from arriving although the sink goes on; `undefined` when nothing does. */
  trouble?(): Failure | undefined
  /**
   * Set when its listeners can read the log themselves: a sink that is further behind than this many events
   * goes on with the newest ones.
   */
  skipBeyond?: number
}

/** Dead letters of a sink's events; their key is the event's id. */
export const sinkKind = (sink: string): string => `sink.${sink}`
