import { type ReportWork, unreported } from '../time/work-report.ts'
import { createBisect } from '../batches/bisect.ts'
import type { DeadLetters } from '../dead-letters/dead-letters.ts'
import type { Logger } from '../logger.ts'
import { isOutage } from '../errors/outage.ts'
import type { EventStore } from '../store/events/events.ts'
import type { Lease, RelayStore } from '../store/events/relay.ts'
import type { Doorbell } from '../time/doorbell.ts'
import { toOutgoing } from './outgoing.ts'
import { orAborted, pause } from '../time/pause.ts'
import type { Sink } from './sink.ts'
import { createSinkRunner } from './sink-runner.ts'

export type Leadership = {
  store: RelayStore
  events: Pick<EventStore, 'after' | 'nextAfter'>
  deadLetters: DeadLetters
  sinks: Sink[]
  lease: Lease & { lastPosition: number }
  leaseMs: number
  retentionDays: number
  /** rings when there is something to place */
  bell: Doorbell
  report?: ReportWork | undefined
  stopping: AbortSignal
  log: Logger
}

const pollMs = 1_000
const saveMs = 200
const placeBatch = 200
const trimEveryMs = 60_000
const trimBatch = 1_000

/**
 * One term of the relay that has the lease. Four loops share it, and end together when the lease is lost or the
 * process stops: one renews it, one places events, one saves the cursors, one removes old events. Beside them each
 * sink delivers at its own pace.
 *
 * The lease is believed for `leaseMs` from the moment its renewal was *asked for*, by this process's own clock, so a
 * process that was frozen delivers nothing before it has looked again. Writes are fenced by the epoch besides.
 * @throws when the database fails before the term has begun
 */
export async function lead({
  store,
  events,
  deadLetters,
  sinks,
  lease,
  leaseMs,
  retentionDays,
  bell,
  report = unreported,
  stopping,
  log
}: Leadership): Promise<void> {
  const term = new AbortController()
  const over = AbortSignal.any([stopping, term.signal])
  const abort = new AbortController()
  let validUntil = Number.NEGATIVE_INFINITY
  let unsaved = false

  const cursors = await store.cursors(
    lease,
    sinks.map(({ name }) => name)
  )
  if (!cursors) return
  const runners = sinks.map((sink) =>
    createSinkRunner({
      sink,
      cursor: cursors.get(sink.name) as number,
      last: lease.lastPosition,
      events,
      deadLetters,
      inCharge: () => performance.now() < validUntil,
      onChange: () => {
        unsaved = true
      },
      log
    })
  )

  const bisectPlaces = createBisect<string>({
    setAside: (key, error) => deadLetters.setAside({ kind: 'placing', key, error })
  })
  const bisectRemovals = createBisect<string>({
    setAside: (key, error) => deadLetters.setAside({ kind: 'event_retention', key, error })
  })

  function lose(): void {
    if (!over.aborted) log.warn({ epoch: lease.epoch }, 'relay lost its lease')
    term.abort()
  }

  /** Runs `step` until the term is over; a step that fails is tried again after `retryMs`. */
  async function repeat(what: string, retryMs: number, step: () => Promise<void>): Promise<void> {
    let failures = 0
    const { succeeded, failed, ended } = report(`relay_${what.replaceAll(' ', '_')}`)
    while (!over.aborted) {
      try {
        await step()
        failures = 0
        succeeded()
      } catch (error) {
        failed(error)
        if (failures++ === 0) log.warn({ what, err: error }, 'relay step failed')
        await pause(retryMs, over)
      }
    }
    ended()
  }

  const renew = repeat('renew', 100, async () => {
    const asked = performance.now()
    const renewed = await store.acquire(lease.holder, leaseMs)
    if (renewed?.epoch !== lease.epoch) return lose()
    validUntil = asked + leaseMs
    await pause(leaseMs / 4, over)
  })

  const offer = (answer: Awaited<ReturnType<RelayStore['place']>>): number => {
    if (!answer) return -1
    const batch = toOutgoing(answer.placed, answer.previous)
    for (const runner of runners) runner.offer(batch)
    return batch.length
  }

  /** After a failure: finds the events that cannot be placed, and places the others. */
  async function placeEach(failure: unknown): Promise<void> {
    if (isOutage(failure)) throw failure
    const { error } = await bisectPlaces(
      await store.waiting(placeBatch),
      async (ids) => {
        if (offer(await store.place(lease, placeBatch, ids)) < 0) lose()
        return undefined
      },
      () => !over.aborted
    )
    if (error !== undefined) throw error
  }

  const place = repeat('place', 200, async () => {
    let placed = placeBatch
    try {
      placed = offer(await store.place(lease, placeBatch))
      if (placed < 0) return lose()
    } catch (error) {
      await placeEach(error)
    }
    if (placed < placeBatch) await bell.wait(pollMs, over)
  })

  async function saveCursors(): Promise<void> {
    if (!unsaved) return
    unsaved = false
    const states = runners.map((runner, i) => ({ sink: (sinks[i] as Sink).name, ...runner.state() }))
    try {
      if (!(await store.saveCursors(lease, states))) lose()
    } catch (error) {
      unsaved = true
      throw error
    }
  }
  const save = repeat('save cursors', 500, async () => {
    await pause(saveMs, over)
    await saveCursors()
  })

  const trim = repeat('remove old events', trimEveryMs, async () => {
    const old = await store.old(retentionDays, trimBatch)
    const { error } = await bisectRemovals(
      old,
      async (ids) => {
        if ((await store.trim(lease, ids)) === undefined) lose()
        return undefined
      },
      () => !over.aborted
    )
    if (error !== undefined) throw error
    await pause(old.length < trimBatch ? trimEveryMs : 50, over)
  })

  const delivering = Promise.all(runners.map((runner) => runner.run(over, abort.signal)))
  await Promise.all([renew, place, save, trim])
  if (!term.signal.aborted) await orAborted(delivering, AbortSignal.timeout(1_000))
  abort.abort()
  await delivering
  if (term.signal.aborted) return
  try {
    await saveCursors()
    await store.release(lease)
  } catch (error) {
    log.warn({ err: error }, 'relay could not say goodbye: another takes over when the lease has run out')
  }
}
