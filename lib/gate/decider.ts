import { fullLevel, unitsPerToken } from './bucket.ts'
import { createCircuit } from './circuit.ts'
import { DeadlineError, within } from '../time/deadline.ts'
import {
  type BucketSnapshot,
  type DecisionRecord,
  encodeFacts,
  guardFirst,
  type Outcome,
  type RequestFacts
} from './decision.ts'
import { type BufferedDecision, createDecisionBuffer, type Trace } from './decision-buffer.ts'
import type { createGateKeys, Subject } from './keys.ts'
import type { GateAction } from '../actions/actions.ts'
import type { BucketLimit, BucketName } from './limits.ts'
import { type BucketDebt, type BucketVerb, createLocalBuckets } from './local-buckets.ts'
import { createRefusalTally, ownRefusals } from './refusal-tally.ts'
import { defineScript, type RedisClient } from '../redis/script.ts'
import { createTake } from './take-together.ts'

export type GateLog = Record<'info' | 'warn' | 'error', (fields: object, message: string) => void>

export type DeciderOptions = {
  redis: RedisClient
  keys: ReturnType<typeof createGateKeys>
  processId: string
  log: GateLog
  /** microseconds; see `take.lua` */
  now?: (() => number) | undefined
  /** milliseconds Redis has for an answer */
  timeoutMs: number
  /** milliseconds between questions whether Redis is back */
  probeEveryMs: number
  /** whether this process counts among those that share the limits while Redis is away */
  announce: boolean
  /** about how many entries a stream may keep: a last resort against a full Redis when nobody reads */
  maxStreamLength: number
  /** decisions kept in memory while Redis is away */
  bufferSize: number
  /** buckets kept in memory */
  localBuckets: number
  /** stores decisions somewhere else while Redis is away; without it they wait in memory */
  recordDirectly?: ((records: DecisionRecord[]) => Promise<void>) | undefined
}

export type NamedCall = {
  name: BucketName
  verb: BucketVerb
  limit: BucketLimit
  /** whole tokens */
  cost: number
  /** for `hold`, `held` and `give`: what the hold is called */
  hold: string
  /** whose bucket it is; absent: the call's subject's */
  subject?: Subject
}

/** What is to be written down about a call. */
export type Writing = {
  how: 'open' | 'final' | 'copy'
  id: string
  request: RequestFacts
  actions: { allowed: GateAction; refused: GateAction }
  /** said in place of what the script finds */
  outcome?: Outcome | undefined
  /** the request is refused, whatever the script finds */
  refused?: boolean | undefined
  /** milliseconds; the time of the admission when there was one */
  at?: number | undefined
  /** buckets of another subject that took part */
  others: BucketSnapshot[]
  trace: Trace
}

/** `levels` are in units, of which a token has `unitsPerToken × shares`. */
export type Answer = { ok: boolean; at: number; degraded: boolean; shares: number; levels: number[] }

const heartbeatEveryMs = 1_000
const silentAfterMs = 5_000
const debtsAtOnce = 200
const recordsAtOnce = 100

/**
 * Carries out calls on buckets: in Redis, or when that fails or is slow, in this process, within `timeoutMs` and the
 * blink a local decision takes.
 */
export function createDecider(options: DeciderOptions) {
  const { redis, keys, processId, log, timeoutMs } = options
  const take = createTake(redis)
  const presence = defineScript(redis, new URL('./presence.lua', import.meta.url))
  const local = createLocalBuckets(options.localBuckets)
  const buffer = createDecisionBuffer(options.bufferSize)
  const tally = createRefusalTally(options.bufferSize)
  /** what is to be written down about refusals of which Redis has not said yet whether it has them */
  const undecided = new Set<() => void>()
  const localNow = options.now ?? (() => Math.floor((performance.timeOrigin + performance.now()) * 1_000))
  let shares = 1
  let fewerBeats = 0
  let heartbeat: NodeJS.Timeout | undefined
  let draining: Promise<void> | undefined

  const circuit = createCircuit({
    probe: heard,
    recover,
    probeEveryMs: options.probeEveryMs,
    limitMs: timeoutMs,
    onOpen: (reason) => log.warn({ err: reason, shares }, 'gate decides alone: Redis failed or was too slow'),
    onProbeFailed: () => void drain()
  })

  async function heard(): Promise<number> {
    return Number(await presence([keys.processes], [options.announce ? processId : '', silentAfterMs]))
  }

  /** Fewer processes than before are believed when it stays so: after an outage they come back one by one. */
  async function beat() {
    if (circuit.isOpen()) return // the probe does the same
    try {
      const alive = Math.max(1, await within(heard(), heartbeatEveryMs))
      if (circuit.isOpen()) return
      if (alive >= shares || ++fewerBeats * heartbeatEveryMs > silentAfterMs) {
        shares = alive
        fewerBeats = 0
      }
      if (buffer.length > 0) void drain() // what could not be stored directly while Redis was away
    } catch (error) {
      circuit.trip(error)
    }
  }

  /** The arguments of the script that do not belong to a bucket. */
  function argumentsOf(writing?: Omit<Writing, 'id' | 'request' | 'others'>, facts = '') {
    return [
      options.now?.() ?? '',
      writing?.how ?? 'none',
      writing?.trace.admitted ?? '',
      writing?.trace.decided ?? '',
      writing?.outcome ?? '',
      writing?.actions.allowed ?? '',
      writing?.actions.refused ?? '',
      facts,
      writing?.at ?? '',
      options.maxStreamLength,
      ownRefusals
    ]
  }

  const keyOf = (subject: Subject, { name, subject: own }: NamedCall) => keys.bucket(own ?? subject, name)

  function send(subject: Subject, calls: NamedCall[], writing?: Writing): Promise<unknown> {
    return take(
      [...keys.besideSubject(subject), ...calls.map((call) => keyOf(subject, call))],
      [
        ...argumentsOf(writing, writing && encodeFacts(writing.id, writing.request, calls, writing.others)),
        ...calls.flatMap(({ verb, limit, cost, hold }) => [
          verb,
          limit.limitPerMinute,
          fullLevel(limit),
          cost * unitsPerToken,
          hold
        ])
      ]
    )
  }

  async function run(subject: Subject, calls: NamedCall[], writing?: Writing): Promise<Answer> {
    if (circuit.isOpen()) return alone(subject, calls, writing)
    const sent = send(subject, calls, writing)
    try {
      const { ok, micros, entry, levels } = readReply(await within(sent, timeoutMs))
      noteEntry(writing, ok, entry)
      if (!circuit.isOpen()) {
        const now = localNow()
        calls.forEach((call, i) => {
          local.remember(keyOf(subject, call), call.limit, levels[i] ?? 0, now)
        })
      }
      return { ok, at: writing?.at ?? Math.floor(micros / 1_000), degraded: false, shares: 1, levels }
    } catch (error) {
      circuit.trip(error)
      const { answer, writeDown } = decideAlone(subject, calls, writing)
      if (!(error instanceof DeadlineError)) {
        writeDown()
        return answer
      }
      // Redis may count a refusal under the id of another: it is written down here only when it has not.
      const isRefusal = !answer.ok || writing?.refused === true
      if (isRefusal) undecided.add(writeDown)
      else writeDown()
      sent.then(
        (late) => {
          const counted = tooLate(subject, calls, writing, answer, late)
          if (undecided.delete(writeDown) && !counted) writeDown()
        },
        () => {
          // it failed as well as being late: nothing was taken that we could know of
          if (undecided.delete(writeDown)) writeDown()
        }
      )
      return answer
    }
  }

  /**
   * Redis did carry out a call that was decided here in the meantime: nothing is owed for it, and its entry goes.
   * @returns whether it counted the refusal, which therefore has no entry
   */
  function tooLate(subject: Subject, calls: NamedCall[], writing: Writing | undefined, answer: Answer, late: unknown) {
    const { ok, entry, counted } = readReply(late)
    noteEntry(writing, ok, entry)
    if (ok && answer.ok) local.forgive(localCalls(subject, calls), answer.shares)
    return counted
  }

  function alone(subject: Subject, calls: NamedCall[], writing?: Writing): Answer {
    const { answer, writeDown } = decideAlone(subject, calls, writing)
    writeDown()
    return answer
  }

  function decideAlone(subject: Subject, calls: NamedCall[], writing?: Writing) {
    const now = localNow()
    const { ok, levels } = local.apply(localCalls(subject, calls), now, shares)
    const at = writing?.at ?? Math.floor(now / 1_000)
    const answer: Answer = { ok, at, degraded: true, shares, levels }
    return {
      answer,
      writeDown() {
        if (!writing || (writing.how !== 'final' && ok)) return
        const record = localRecord(writing, calls, levels, ok, at, answer.shares)
        const decision = { shard: keys.shardOf(subject), record, trace: writing.trace }
        const refused = !ok || writing.refused === true
        buffer.push(refused ? tally.add(decision, keys.bucket(subject, 'api_call'), answer.shares) : decision)
      }
    }
  }

  function localCalls(subject: Subject, calls: NamedCall[]) {
    return calls.map((call) => ({ ...call, key: keyOf(subject, call) }))
  }

  async function recover(closeCircuit: () => void) {
    for (;;) {
      const debts = local.collect(localNow(), shares, debtsAtOnce)
      const booked = Promise.all(debts.map(book))
      if (debts.length === debtsAtOnce) {
        await booked
        continue
      }
      // The last ones are on their way before anything that follows on the same connection.
      closeCircuit()
      fewerBeats = 0
      booked.catch((error) => circuit.trip(error))
      break
    }
    log.info({ dropped: buffer.takeDropped(), waiting: buffer.length }, 'gate decides with Redis again')
    void drain()
  }

  async function book(debt: BucketDebt) {
    const { key, limit, granted, unfilled } = debt
    try {
      await take(
        [...keys.besideBucket(key), key],
        [...argumentsOf(), 'debit', limit.limitPerMinute, fullLevel(limit), granted, unfilled]
      )
    } catch (error) {
      local.owe(debt, localNow(), shares)
      throw error
    }
  }

  /** Sends on what was decided alone, one caller at a time; what does not get through stays. */
  function drain(): Promise<void> {
    draining ??= drainAll().finally(() => {
      draining = undefined
    })
    return draining
  }

  async function drainAll() {
    while (buffer.length > 0) {
      const waiting = buffer.take(recordsAtOnce)
      try {
        if (!circuit.isOpen()) await appendAll(waiting)
        else if (options.recordDirectly) await options.recordDirectly(waiting.map(({ record }) => record))
        else {
          buffer.putBack(waiting)
          return
        }
      } catch (error) {
        buffer.putBack(waiting)
        log.warn({ err: error, waiting: buffer.length }, 'decisions made alone have to wait')
        return
      }
    }
  }

  async function appendAll(decisions: BufferedDecision[]) {
    await Promise.all(
      decisions.map(({ shard, record, trace }) => {
        const { action, outcome, at, limits, repeats, ...request } = record
        const facts = encodeFacts(record.id, { ...request, action }, [], limits, repeats)
        return take(
          keys.besideShard(shard),
          argumentsOf({ how: 'copy', actions: { allowed: action, refused: action }, outcome, at, trace }, facts)
        )
      })
    )
  }

  return {
    run,

    /** Whether one call may touch buckets of several subjects. */
    joins: !redis.isCluster,

    isDegraded: () => circuit.isOpen(),
    processes: () => shares,

    /** Counts this process in, and goes on doing so until `close`. */
    async start() {
      heartbeat = setInterval(() => void beat(), heartbeatEveryMs)
      heartbeat.unref()
      await beat()
    },

    forget(subject: Subject, names: BucketName[]) {
      for (const name of names) local.forget(keys.bucket(subject, name))
    },

    /** Counts this process out and sends on what is still in memory, both as far as two seconds go. */
    async close() {
      clearInterval(heartbeat)
      const leave = async () => {
        for (const writeDown of undecided) writeDown()
        undecided.clear()
        await drain()
        if (options.announce && !circuit.isOpen()) await redis.zrem(keys.processes, processId)
      }
      await within(leave(), 2_000).catch((error) => log.warn({ err: error }, 'gate closed without a goodbye'))
      circuit.close()
      if (buffer.length > 0) log.error({ lost: buffer.length }, 'decisions made alone could not be kept')
    }
  }
}

function readReply(reply: unknown) {
  const [ok, micros, entry, counted, ...levels] = reply as [number, number, string, number, ...number[]]
  return { ok: ok === 1, micros, entry, counted: counted === 1, levels }
}

function noteEntry(writing: Writing | undefined, ok: boolean, entry: string) {
  if (!writing) return
  if (writing.how === 'open' && ok) writing.trace.admitted = entry
  else writing.trace.decided = entry
}

function localRecord(
  { id, request, actions, others, outcome }: Writing,
  calls: NamedCall[],
  levels: number[],
  ok: boolean,
  at: number,
  shares: number
): DecisionRecord {
  const { userId, ip, method, path, userAgent } = request
  const token = unitsPerToken * shares
  const lacks = ({ cost }: NamedCall, i: number) => !ok && (levels[i] ?? 0) < cost * token
  const guarded = calls.some((call, i) => call.verb === 'guard' && lacks(call, i))
  const mayRefuse = ({ verb }: NamedCall) => (guarded ? verb === 'guard' : verb !== 'held' && verb !== 'give')
  const seen = calls.map((call, i) => ({
    name: call.name,
    capacity: Math.floor(fullLevel(call.limit, shares) / token),
    remaining: Math.max(0, Math.floor((levels[i] ?? 0) / token)),
    refused: mayRefuse(call) && lacks(call, i)
  }))
  return {
    id,
    at,
    userId,
    ip,
    method,
    path,
    userAgent,
    action: ok ? actions.allowed : actions.refused,
    outcome: outcome ?? 'degraded',
    limits: [...others, ...guardFirst(seen)],
    repeats: 0
  }
}
