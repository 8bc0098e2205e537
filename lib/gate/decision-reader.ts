import { setTimeout as delay } from 'node:timers/promises'
import { newId } from '../ids.ts'
import { createBisect } from '../batches/bisect.ts'
import { NamedFailure } from '../errors/failure.ts'
import type { GateLog } from './decider.ts'
import { type CountedRefusals, createCountedRefusals } from './counted-refusals.ts'
import { type DecisionRecord, decisionToKeep, decodeDecision } from './decision.ts'
import { createDecisionStream, type StreamEntry } from './decision-stream.ts'
import { createGateKeys } from './keys.ts'
import type { RedisClient } from '../redis/script.ts'

export type DecisionReaderOptions = {
  redis: RedisClient
  prefix: string
  /**
   * Stores decisions, each id once however often it comes; resolves when they are committed, and rejects when it is to be
   * tried again. Ids within a batch are distinct.
   */
  onBatch: (decisions: DecisionRecord[]) => Promise<void>
  /** Keeps a decision that cannot be stored by itself, or an entry that is none. */
  setAside: (letter: { key: string; payload: unknown; error: unknown }) => Promise<void>
  /** hears how each round went */
  report?: { succeeded(): void; failed(error: unknown): void }
  log: GateLog
  /** decisions in one batch, at most; also all that is held in memory */
  batchSize?: number
  /** milliseconds between looks while there is nothing to do */
  idleMs?: number
  /** milliseconds after which the entries of a reader that died are another's */
  claimAfterMs?: number
  /** milliseconds an admission may stay unfinished; longer than any request may take to send its body */
  admittedForMs?: number
  maxStreamLength?: number
}

type Held = { entry: StreamEntry; decision: DecisionRecord }

/** As many as are tried alone before all are doubted (`lib/batches/bisect.ts`). */
const triedAlone = 3
/** How often the counts of a flood are brought up to date. */
const countEveryMs = 1_000
const longestWaitMs = 5_000

/**
 * Carries decisions from Redis to their audit rows, in any number of processes at once: an entry leaves Redis only after
 * `onBatch` has resolved for it, and what a reader that died was given goes to another. So each decision arrives at least
 * once, and is stored once because `onBatch` goes by its id.
 */
export function createDecisionReader({
  redis,
  prefix,
  onBatch,
  setAside,
  report,
  log,
  ...options
}: DecisionReaderOptions) {
  const { batchSize = 500, idleMs = 250, claimAfterMs = 30_000, admittedForMs = 15 * 60_000 } = options
  const keys = createGateKeys(prefix)
  const stream = createDecisionStream(redis, keys, newId(), options.maxStreamLength ?? 100_000)
  const counted = createCountedRefusals(redis, keys)
  const bisect = createBisect<Held[]>({
    async setAside(same, error) {
      const decision = decisionOf(same)
      await setAside({ key: decision.id, payload: { decision }, error })
    }
  })
  const bisectCounts = createBisect<CountedRefusals>({
    setAside: async ({ id, decision }, error) => await setAside({ key: id, payload: { decision }, error })
  })
  let stopping: AbortController | undefined
  let running: Promise<void> | undefined
  /** given to us and not stored yet */
  let held: Held[] = []

  async function fill(tend: boolean) {
    const entries = await stream.read(batchSize - held.length)
    if (tend) {
      const swept = await stream.sweep(admittedForMs)
      if (swept > 0) log.warn({ swept }, 'admissions that nobody finished were recorded')
      const claimed = await stream.claim(batchSize - held.length - entries.length, claimAfterMs)
      const known = new Set([...held.map(({ entry }) => nameOf(entry)), ...entries.map(nameOf)]) // ours may be as old
      entries.push(...claimed.filter((entry) => !known.has(nameOf(entry))))
      await stream.forgetConsumers(claimAfterMs * 20, false)
    }
    const unreadable: StreamEntry[] = []
    for (const entry of entries) {
      const decision = decodeDecision(entry.fields)
      if (decision) held.push({ entry, decision })
      else unreadable.push(entry)
    }
    for (const entry of unreadable) await discard(entry)
  }

  /** Entries deleted in the meantime come without fields: there is nothing to keep. */
  async function discard(entry: StreamEntry) {
    const error = new NamedFailure('unreadable', 'the entry is no decision')
    if (entry.fields.length > 0) await setAside({ key: nameOf(entry), payload: { fields: entry.fields }, error })
    await stream.settle([entry])
  }

  /** Stores what is held, but for what cannot be stored by itself. Rejects when something is left. */
  async function store() {
    const byId = Map.groupBy(held, ({ decision }) => decision.id)
    const { done, aside, error } = await bisect([...byId.values()], async (part) => {
      await onBatch(part.map(decisionOf))
      return undefined
    })
    const ended = new Set([...done, ...aside].flat())
    held = held.filter((one) => !ended.has(one))
    await stream.settle([...ended].map(({ entry }) => entry))
    if (error === undefined) return
    // Not the same ones first again, or a few bad ones would look like a store that is away.
    held.push(...held.splice(0, triedAlone))
    throw error
  }

  /** Brings the rows of counted refusals up to date. Rejects when something is left. */
  async function storeCounts() {
    const waiting = await counted.read(batchSize)
    if (waiting.length === 0) return
    const { done, aside, error } = await bisectCounts(waiting, async (part) => {
      await onBatch(part.map(({ decision }) => decision))
      return undefined
    })
    await counted.settle([...done, ...aside])
    if (error !== undefined) throw error
  }

  async function run(signal: AbortSignal) {
    let waitMs = 0
    let tendAt = 0
    let countAt = 0
    while (!signal.aborted) {
      try {
        const tend = performance.now() >= tendAt
        await fill(tend)
        if (tend) tendAt = performance.now() + claimAfterMs / 2
        if (performance.now() >= countAt) {
          await storeCounts()
          countAt = performance.now() + countEveryMs
        }
        if (held.length === 0) await rest(idleMs, signal)
        else await store()
        waitMs = 0
        report?.succeeded()
      } catch (error) {
        report?.failed(error)
        waitMs = Math.min(longestWaitMs, Math.max(idleMs, waitMs * 2))
        log.warn({ err: error, held: held.length, waitMs }, 'decisions have to wait for their audit rows')
        await rest(waitMs, signal)
      }
    }
    if (held.length === 0) await stream.forgetConsumers(0, true).catch(() => undefined) // another reader will
  }

  return {
    start() {
      if (running) return
      stopping = new AbortController()
      running = run(stopping.signal)
    },

    /** Resolves when the batch in hand is done with; what could not be stored is left to another reader. */
    async stop() {
      stopping?.abort()
      await running
      running = undefined
      held = []
    },

    /** @returns decisions that wait for their row, and admissions that wait for their end */
    lengths: () => stream.lengths()
  }
}

/** Of several deliveries of one decision the one that says most. */
const decisionOf = (same: Held[]): DecisionRecord => decisionToKeep(same.map(({ decision }) => decision))

const nameOf = ({ shard, entryId }: StreamEntry) => `${shard} ${entryId}`

async function rest(ms: number, signal: AbortSignal) {
  await delay(ms, undefined, { signal }).catch(() => undefined) // woken to stop
}
