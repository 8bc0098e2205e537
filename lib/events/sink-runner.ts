import { createBisect } from '../batches/bisect.ts'
import { splitBatch } from '../batches/split.ts'
import type { DeadLetters } from '../dead-letters/dead-letters.ts'
import { describeFailure, type Failure } from '../errors/failure.ts'
import type { Logger } from '../logger.ts'
import type { EventStore } from '../store/events/events.ts'
import { createDoorbell } from '../time/doorbell.ts'
import { createLogReader } from './log-reader.ts'
import type { Outgoing } from './outgoing.ts'
import { pause } from '../time/pause.ts'
import { type Sink, sinkKind } from './sink.ts'

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
const batchBytes = 4 * 1024 * 1024
/** While nothing of a batch gets through, so that others hear few of its events again and again. */
const failingBatchSize = 20
const keptOffers = 1_000
const longestPauseMs = 2_000
const keptOfferBytes = 16 * 1024 * 1024

/**
 * Carries the log to one sink at the sink's own pace, so that one which is away stalls nobody else. An event that cannot
 * be delivered by itself is put aside for this sink alone, and the others go on.
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
  deadLetters,
  inCharge,
  onChange,
  log
}: {
  sink: Sink
  cursor: number
  last: number
  events: Pick<EventStore, 'after' | 'nextAfter'>
  deadLetters: DeadLetters
  inCharge: () => boolean
  onChange: () => void
  log: Logger
}): SinkRunner {
  const bell = createDoorbell()
  const setAside = (key: string, error: unknown) => deadLetters.setAside({ kind: sinkKind(sink.name), key, error })
  const bisect = createBisect<Outgoing>({ setAside: ({ event }, error) => setAside(event.id, error) })
  const readLog = createLogReader({ events, setAside })
  let confirmed = cursor
  let read = cursor
  let offers: Outgoing[] = []
  let failure: Failure | undefined

  function advance(position: number): void {
    confirmed = position
    onChange()
  }

  function readAgain(): void {
    read = confirmed
    offers = []
  }

  function noteFailure(now: Failure | undefined): void {
    const changed = now?.code !== failure?.code || now?.message !== failure?.message
    failure = now
    if (changed) onChange()
  }

  async function next(): Promise<Outgoing[]> {
    if (offers.length > 0) return offers.splice(0, batchSize)
    if (sink.skipBeyond !== undefined && last - read > sink.skipBeyond) read = last - batchSize
    const { batch, from } = await readLog(read, failure ? failingBatchSize : batchSize)
    if (from > read) advance(from)
    return batch
  }

  async function deliver(part: Outgoing[], signal: AbortSignal): Promise<void> {
    let whole = true
    const { done, aside, error } = await bisect(
      part,
      async (members, tell) => {
        const confirm = (position: number) => {
          if (whole) advance(position)
          tell(members.findIndex((member) => member.position === position) + 1)
        }
        try {
          const refused = await sink.deliver(members, confirm, signal)
          if (refused && refused.length > 0) whole = false
          return refused
        } catch (failed) {
          whole = false
          throw failed
        }
      },
      () => inCharge() && !signal.aborted
    )
    if (signal.aborted) return
    const stop = part.findIndex((member) => !done.has(member) && !aside.has(member))
    const behind = stop === -1 ? part.at(-1) : part[stop - 1]
    if (behind && behind.position > confirmed) advance(behind.position)
    if (error !== undefined) throw error
    if (stop !== -1) readAgain() // the lease ran out meanwhile
  }

  async function deliverNext(signal: AbortSignal): Promise<void> {
    const upTo = last
    const batch = await next()
    const end = batch.at(-1)
    if (!end) {
      read = upTo // what stood there was removed with its owner
      return advance(read)
    }
    read = end.position
    last = Math.max(last, read)
    for (const part of splitBatch(batch, { rows: batchSize, bytes: batchBytes, bytesOf: ({ bytes }) => bytes })) {
      await deliver(part, signal)
      if (read < end.position || signal.aborted) return
    }
  }

  return {
    offer(batch) {
      const [first] = batch
      if (!first) return
      const known = offers.at(-1)?.position ?? read
      const bytes = offers.reduce((sum, kept) => sum + kept.bytes, 0)
      const hasRoom = offers.length < keptOffers && bytes < keptOfferBytes
      if (first.previous === known && hasRoom) offers.push(...batch)
      last = (batch.at(-1) as Outgoing).position
      bell.ring()
    },
    state: () => ({ position: confirmed, failure }),
    async run(stopping, abort) {
      let failures = 0
      while (!stopping.aborted) {
        if (read >= last) {
          await bell.wait(60_000, stopping)
          if (failures === 0) noteFailure(sink.trouble?.())
        } else if (!inCharge()) await pause(50, stopping)
        else {
          try {
            await deliverNext(abort)
            if (failures > 0) log.info({ sink: sink.name, failures }, 'event delivery restored')
            failures = 0
            noteFailure(sink.trouble?.())
          } catch (error) {
            if (abort.aborted) return
            const now = describeFailure(error)
            if (now.code !== failure?.code) {
              log.warn({ sink: sink.name, code: now.code, position: confirmed, err: error }, 'event delivery failed')
            }
            noteFailure(now)
            failures++
            readAgain()
            await pause(Math.min(100 * 2 ** Math.min(failures, 5), longestPauseMs), stopping)
          }
        }
      }
    }
  }
}
