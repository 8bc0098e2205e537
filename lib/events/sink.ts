import { describeFailure, type Failure } from '../failure.ts'
import type { Logger } from '../logger.ts'
import type { EventStore } from '../store/events.ts'
import { createDoorbell } from './doorbell.ts'
import { type Outgoing, toOutgoing } from './outgoing.ts'
import { pause } from './pause.ts'

/** Somewhere that events are delivered to, in order of position. */
export type Sink = {
  /** names its cursor */
  name: string
  /**
   * Delivers a batch in order and tells by `confirmed` how far the contiguous part has arrived.
   * Rejects when something did not: what is not confirmed will be given again.
   */
  deliver(batch: Outgoing[], confirmed: (position: number) => void, signal: AbortSignal): Promise<void>
  /**
   * Set when its listeners can read the log themselves: a sink that is further behind than this many events
   * goes on with the newest ones.
   */
  skipBeyond?: number
}

export type SinkRunner = {
  /** Events that were just placed. They need not be read again when the sink has kept up. */
  offer(batch: Outgoing[]): void
  /** how far it is, and why it gets no further, if it does not */
  state(): { position: number; failure: Failure | undefined }
  /**
   * Never rejects.
   * @param stopping begins no further batch
   * @param abort ends the batch under way too
   */
  run(stopping: AbortSignal, abort: AbortSignal): Promise<void>
}

const batchSize = 200
const keptOffers = 1_000

/**
 * Carries the log to one sink at the sink's own pace, so that one which is away stalls nobody else.
 * @param cursor the position the sink has confirmed
 * @param last the log's last position
 * @param inCharge whether this relay's lease still holds: asked before each delivery
 * @param onChange told when the state has changed
 */
export function createSinkRunner({
  sink,
  cursor,
  last,
  events,
  inCharge,
  onChange,
  log
}: {
  sink: Sink
  cursor: number
  last: number
  events: Pick<EventStore, 'after'>
  inCharge: () => boolean
  onChange: () => void
  log: Logger
}): SinkRunner {
  const bell = createDoorbell()
  let confirmed = cursor
  let read = cursor
  let offers: Outgoing[] = []
  let failure: Failure | undefined

  async function next(): Promise<Outgoing[]> {
    if (offers.length > 0) return offers.splice(0, batchSize)
    if (sink.skipBeyond !== undefined && last - read > sink.skipBeyond) read = last - batchSize
    return toOutgoing(await events.after(read, batchSize), read)
  }

  async function deliverNext(signal: AbortSignal): Promise<void> {
    const advance = (position: number) => {
      confirmed = position
      onChange()
    }
    const upTo = last
    const batch = await next()
    const end = batch.at(-1)
    if (!end) {
      read = upTo // what stood there was removed with its owner
      return advance(read)
    }
    read = end.position
    last = Math.max(last, read)
    await sink.deliver(batch, advance, signal)
  }

  function noteFailure<F extends Failure | undefined>(now: F): F {
    const changed = now?.code !== failure?.code || now?.message !== failure?.message
    failure = now
    if (changed) onChange()
    return now
  }

  return {
    offer(batch) {
      const [first] = batch
      if (!first) return
      const known = offers.at(-1)?.position ?? read
      if (first.previous === known && offers.length < keptOffers) offers.push(...batch)
      last = (batch.at(-1) as Outgoing).position
      bell.ring()
    },
    state: () => ({ position: confirmed, failure }),
    async run(stopping, abort) {
      let failures = 0
      while (!stopping.aborted) {
        if (read >= last) await bell.wait(60_000, stopping)
        else if (!inCharge()) await pause(50, stopping)
        else {
          try {
            await deliverNext(abort)
            if (failures > 0) log.info({ sink: sink.name, failures }, 'event delivery restored')
            failures = 0
            noteFailure(undefined)
          } catch (error) {
            if (abort.aborted) return
            const { code } = noteFailure(describeFailure(error))
            if (failures === 0) {
              log.warn({ sink: sink.name, code, position: confirmed, err: error }, 'event delivery failed')
            }
            failures++
            read = confirmed
            offers = []
            await pause(Math.min(100 * 2 ** Math.min(failures, 5), 2_000), stopping)
          }
        }
      }
    }
  }
}
