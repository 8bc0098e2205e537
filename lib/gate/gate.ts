import { newId } from '../ids.ts'
import { type BucketState, describeBucket } from './bucket.ts'
import { within } from '../time/deadline.ts'
import { type Answer, createDecider, type DeciderOptions, type NamedCall, type Writing } from './decider.ts'
import { type Decision, isAiAction, type RequestFacts, recordedActions, snapshot } from './decision.ts'
import type { Trace } from './decision-buffer.ts'
import { createGateKeys, type Subject } from './keys.ts'
import { type GateAction, gateActions } from '../actions/actions.ts'
import type { BucketLimit, BucketName, GateLimits } from './limits.ts'
import type { BucketVerb } from './local-buckets.ts'

/** Limits an administrator gave one user, as a snapshot that its owner keeps fresh. */
export type LimitOverrides = { for(userId: string): Partial<Record<GateAction, BucketLimit>> | undefined }

export type GateOptions = Pick<DeciderOptions, 'redis' | 'processId' | 'log' | 'now' | 'recordDirectly'> & {
  prefix: string
  limits: GateLimits
  overrides?: LimitOverrides | undefined
} & Partial<Omit<DeciderOptions, 'keys'>>

type Ask = { subject: Subject; buckets: BucketName[] }
export type Gate = ReturnType<typeof createGate>

/** What an admission needs to be finished. */
type Admission = {
  subject: Subject
  held: BucketName[]
  request: RequestFacts
  trace: Trace
  /** the token of its address, once it was asked for */
  address?: Promise<Hold>
  end?: Promise<Decision>
}

/** Tokens that may still be given back; `keep` says that they will not be. Both do nothing when there were none. */
type Hold = { ok: boolean; degraded: boolean; buckets: BucketState[]; keep(): Promise<void>; giveBack(): Promise<void> }

/** The gate cannot do what it was asked while Redis is away. */
export class GateUnavailableError extends Error {
  override name = 'GateUnavailableError'
}

/**
 * Admits requests by token buckets that all processes share in Redis; `docs/rate-limiting.md` tells the whole story.
 * Answers within 50 ms whatever Redis does. Give it a client of its own made with `gateRedisOptions`.
 */
export function createGate({ prefix, limits, overrides, ...options }: GateOptions) {
  const { redis } = options
  const keys = createGateKeys(prefix)
  const timeoutMs = options.timeoutMs ?? 35
  const decider = createDecider({
    probeEveryMs: 250,
    announce: true,
    maxStreamLength: 100_000,
    bufferSize: 20_000,
    localBuckets: 20_000,
    ...options,
    timeoutMs,
    keys
  })
  const admissions = new WeakMap<Decision, Admission>()
  /** decisions that let a request in and are written, with what it takes to say otherwise */
  const written = new WeakMap<Decision, Pick<Admission, 'subject' | 'request' | 'trace'>>()

  function limitOf(subject: Subject, name: BucketName): BucketLimit {
    if (subject.kind !== 'user') return limits[name]
    return overrides?.for(subject.id)?.[name as GateAction] ?? limits[name]
  }

  function callsFor(
    subject: Subject,
    names: BucketName[],
    verb: BucketVerb,
    { cost = 1, hold = '' } = {}
  ): NamedCall[] {
    return names.map((name) => ({ name, verb, limit: limitOf(subject, name), cost, hold }))
  }

  function describe(calls: NamedCall[], { levels, shares }: Answer): BucketState[] {
    return calls.map(({ name, limit, cost }, i) => describeBucket(name, limit, levels[i] ?? 0, cost, shares))
  }

  async function decide(subject: Subject, calls: NamedCall[], writing: Writing, degraded = false): Promise<Decision> {
    const answer = await decider.run(subject, calls, { ...writing, outcome: degraded ? 'degraded' : undefined })
    const alone = degraded || answer.degraded
    const states = describe(calls, answer)
    const lacking = (i: number) => calls[i]?.verb !== 'held' && (states[i]?.retryAfterMs ?? 0) > 0
    const guard = answer.ok ? -1 : calls.findIndex(({ verb }, i) => verb === 'guard' && lacking(i))
    const refusing = answer.ok ? [] : states.filter((_, i) => (guard < 0 ? lacking(i) : i === guard))
    // a bucket that was only looked at and has enough says nothing about a refusal, nor another subject's that has
    const says = (i: number) => {
      const verb = calls[i]?.verb
      return verb === 'guard' ? i === guard : answer.ok || guard >= 0 || verb !== 'look' || lacking(i)
    }
    const shown = states.filter((_, i) => says(i))
    // refused by another subject's bucket: after that long the subject's own have what it takes as well
    const waitFor = guard < 0 ? refusing : shown
    const decision: Decision = {
      id: writing.id,
      at: new Date(answer.at),
      ok: answer.ok,
      outcome: alone ? 'degraded' : answer.ok ? 'allowed' : 'blocked',
      degraded: alone,
      action: answer.ok ? writing.actions.allowed : writing.actions.refused,
      refusedBy: refusing.map(({ name }) => name),
      retryAfterSeconds: Math.max(0, ...waitFor.map(({ retryAfterMs }) => Math.ceil(retryAfterMs / 1_000))),
      buckets: shown
    }
    if (answer.ok && writing.how === 'final') {
      written.set(decision, { subject, request: writing.request, trace: writing.trace })
    }
    return decision
  }

  async function hold(subject: Subject, buckets: BucketName[]): Promise<Hold> {
    const name = newId()
    const calls = callsFor(subject, buckets, 'hold', { hold: name })
    const answer = await decider.run(subject, calls)
    const end = async (verb: 'held' | 'give') => {
      if (answer.ok) await decider.run(subject, callsFor(subject, buckets, verb, { hold: name }))
    }
    return {
      ok: answer.ok,
      degraded: answer.degraded,
      buckets: describe(calls, answer),
      keep: () => end('held'),
      giveBack: () => end('give')
    }
  }

  /** The address as it was when the request came: one whose connection is gone shares a bucket with others like it. */
  function holdAddress(admission: Admission): Promise<Hold> {
    admission.address ??= hold({ kind: 'address', address: admission.request.ip }, ['address_ai'])
    return admission.address
  }

  /**
   * Takes the user's token and the address's in one call, where one call may touch both. Refused by the address, what
   * the admission took is given back and the address alone is named.
   */
  async function upgradeJointly(decision: Decision, { subject, held, request, trace }: Admission): Promise<Decision> {
    const { action } = request
    const address = { kind: 'address', address: request.ip } as const
    const guards = callsFor(address, ['address_ai'], 'guard').map((call) => ({ ...call, subject: address }))
    const own = [...callsFor(subject, [action], 'take'), ...callsFor(subject, held, 'held', { hold: decision.id })]
    const actions = { allowed: action, refused: action }
    const at = decision.at.getTime()
    const writing = { how: 'final' as const, id: decision.id, request, actions, others: [], trace, at }
    return await decide(subject, [...guards, ...own], writing, decision.degraded)
  }

  /** Too many AI actions from the address: the user's own tokens stay where they are, and no bucket of theirs is named. */
  async function refuseByAddress(decision: Decision, admission: Admission, address: Hold): Promise<Decision> {
    const { subject, held, request, trace } = admission
    const { action } = request
    const calls = [...callsFor(subject, [action], 'look'), ...callsFor(subject, held, 'give', { hold: decision.id })]
    const degraded = decision.degraded || address.degraded
    const answer = await decider.run(subject, calls, {
      how: 'final',
      id: decision.id,
      at: decision.at.getTime(),
      request,
      actions: { allowed: action, refused: action },
      outcome: degraded ? 'degraded' : 'blocked',
      refused: true,
      trace,
      others: snapshot(address.buckets, ['address_ai'])
    })
    const buckets = [...address.buckets, ...describe(calls, answer)]
    return {
      ...decision,
      ok: false,
      outcome: degraded ? 'degraded' : 'blocked',
      degraded,
      action,
      refusedBy: ['address_ai'],
      // after that long the user's own buckets have what it takes as well
      retryAfterSeconds: Math.max(...buckets.map(({ retryAfterMs }) => Math.ceil(retryAfterMs / 1_000))),
      buckets
    }
  }

  /** The first end counts: a request has one decision however often its handlers say that it is over. */
  function finish(decision: Decision, end: (admission: Admission) => Promise<Decision>): Promise<Decision> {
    const admission = admissions.get(decision)
    if (!admission) throw new TypeError('only a decision of admit that let the request in can be finished')
    admission.end ??= end(admission)
    return admission.end
  }

  return {
    /**
     * Takes from every bucket or from none, and writes the decision down: the whole of it for a request whose buckets
     * are known at once.
     * @param cost whole tokens of each bucket, 1 unless told; more than a bucket's capacity is never granted
     */
    take({ subject, buckets, cost = 1, request }: Ask & { cost?: number; request: RequestFacts }): Promise<Decision> {
      if (!Number.isInteger(cost) || cost < 1) throw new RangeError('a cost is a whole number of tokens, at least one')
      return decide(subject, callsFor(subject, buckets, 'take', { cost }), {
        how: 'final',
        id: newId(),
        request,
        actions: recordedActions(buckets, request),
        others: [],
        trace: { admitted: '', decided: '' }
      })
    },

    /**
     * Lets a request in whose decision is not final yet: takes `buckets` (`api_call` unless told), and shows that of
     * the AI action it asks for without touching it. Refused, the decision is final and written down. Let in, it is
     * written by `upgrade` or `settle`, and one of them must be called when the answer is known; should the process die
     * before, the request is recorded as an `api_call` some minutes later.
     */
    async admit({
      subject,
      buckets = ['api_call'],
      request
    }: Partial<Ask> & Pick<Ask, 'subject'> & { request: RequestFacts }) {
      const trace: Trace = { admitted: '', decided: '' }
      const later = subject.kind === 'user' && isAiAction(request.action) ? [request.action] : []
      const id = newId()
      const calls = [...callsFor(subject, later, 'look'), ...callsFor(subject, buckets, 'hold', { hold: id })]
      const actions = recordedActions(buckets, request)
      const decision = await decide(subject, calls, { how: 'open', id, request, actions, others: [], trace })
      if (decision.ok) admissions.set(decision, { subject, held: buckets, request, trace })
      return decision
    },

    /**
     * Begins to ask for the token of the address that `upgrade` needs, while the body is still being checked: so the
     * second bucket costs no waiting of its own. Not to be used for a request that may turn out to be a repetition.
     */
    expectUpgrade(decision: Decision): void {
      const admission = admissions.get(decision)
      if (admission && !admission.end && !decider.joins) void holdAddress(admission)
    },

    /**
     * Takes the token of the AI action an admitted request asks for, once its body is known to be valid, and one of all
     * AI actions of its address. Refused by the user's bucket, what the admission and the address gave is given back;
     * refused by the address, what the admission took is, and the address alone is named. Either way the decision, which
     * keeps its id and time, is final and written.
     */
    upgrade(decision: Decision): Promise<Decision> {
      return finish(decision, async (admission) => {
        const { subject, held, request, trace } = admission
        const { action } = request
        if (!isAiAction(action)) throw new TypeError(`${action} has no token of its own to take`)
        if (decider.joins) return await upgradeJointly(decision, admission)
        const address = await holdAddress(admission)
        if (!address.ok) return await refuseByAddress(decision, admission, address)
        const calls = [
          ...callsFor(subject, [action], 'take'),
          ...callsFor(subject, held, 'held', { hold: decision.id })
        ]
        const actions = { allowed: action, refused: action }
        const writing = { how: 'final' as const, id: decision.id, request, actions, others: [], trace }
        const degraded = decision.degraded || address.degraded
        const decided = await decide(subject, calls, { ...writing, at: decision.at.getTime() }, degraded)
        void (decided.ok ? address.keep() : address.giveBack()) // whatever follows on the connection finds it done
        return decided
      })
    },

    /**
     * Ends an admitted request as what it is so far: an `api_call` with an invalid body, a replay, a route that needs no
     * more. Does nothing after `upgrade` or an earlier `settle`, so it may be called whenever an answer goes out.
     * @param refusal what refused the request after all, a bucket of another subject; the tokens taken stay taken
     */
    settle(decision: Decision, refusal?: BucketState): Promise<Decision> {
      return finish(decision, async ({ subject, held, request, trace, address }) => {
        void address?.then((taken) => taken.giveBack())
        const calls = callsFor(subject, held, 'held', { hold: decision.id })
        const { allowed } = recordedActions(held, request)
        const outcome = decision.degraded ? 'degraded' : refusal ? 'blocked' : 'allowed'
        const answer = await decider.run(subject, calls, {
          how: 'final',
          id: decision.id,
          at: decision.at.getTime(),
          request,
          actions: { allowed, refused: allowed },
          outcome,
          refused: refusal !== undefined,
          trace,
          others: refusal ? snapshot([refusal], [refusal.name]) : []
        })
        const own = answer.degraded ? decision.buckets : describe(calls, answer)
        if (!refusal) return { ...decision, action: allowed, buckets: own }
        return {
          ...decision,
          ok: false,
          outcome,
          action: allowed,
          refusedBy: [refusal.name],
          retryAfterSeconds: Math.ceil(refusal.retryAfterMs / 1_000),
          buckets: [refusal, ...own]
        }
      })
    },

    /**
     * Writes down that a request was refused which `take` or `upgrade` had let in: by a budget, or whatever else stands
     * behind the gate. Its decision is still one, and the tokens it took stay taken.
     * @param policies what refused it, as its client is told in `violated-policies`
     */
    async refuse(decision: Decision, policies: string[]): Promise<void> {
      const known = written.get(decision)
      if (!known) throw new TypeError('only a final decision that let the request in can be refused after all')
      written.delete(decision)
      const named = policies.map((name) => ({ name, capacity: 0, remaining: 0, refused: true }))
      await decider.run(known.subject, [], {
        how: 'final',
        id: decision.id,
        at: decision.at.getTime(),
        request: known.request,
        actions: { allowed: decision.action, refused: decision.action },
        outcome: decision.degraded ? 'degraded' : 'blocked',
        refused: true,
        trace: known.trace,
        others: [...named, ...snapshot(decision.buckets, [])]
      })
    },

    /**
     * Takes a token of each bucket or none, and writes nothing down: for what is only a part of a request.
     * @returns what was found, and `giveBack`, which leaves the buckets as if nothing had been taken
     */
    hold: ({ subject, buckets }: Ask): Promise<Hold> => hold(subject, buckets),

    /** Looks without taking. While Redis is away it sees what this process knows. */
    async peek({ subject, buckets }: Ask): Promise<BucketState[]> {
      const calls = callsFor(subject, buckets, 'look')
      return describe(calls, await decider.run(subject, calls))
    },

    /**
     * Fills buckets up, all of the subject's unless told.
     * @returns the names of those that are full now
     * @throws GateUnavailableError while Redis is away
     */
    async reset({ subject, buckets = bucketsOf(subject) }: Partial<Ask> & Pick<Ask, 'subject'>): Promise<BucketName[]> {
      // Tried also while this process decides alone: a Redis that was late once may be there all the same.
      const names = buckets.map((name) => keys.bucket(subject, name))
      if (names.length > 0) {
        await within(redis.del(...names), 2_000).catch((cause) => {
          throw new GateUnavailableError('buckets could not be reset', { cause })
        })
      }
      decider.forget(subject, buckets)
      return buckets
    },

    /** @returns the limits in force for a user: the configured ones under the user's own */
    limitsOf(userId: string): Record<GateAction, BucketLimit> {
      const own = (name: GateAction) => limitOf({ kind: 'user', id: userId }, name)
      return Object.fromEntries(gateActions.map((name) => [name, own(name)])) as Record<GateAction, BucketLimit>
    },

    /** @returns whether this process decides alone at the moment */
    isDegraded: decider.isDegraded,
    /** @returns the API processes last seen, among which the limits are divided while Redis is away */
    processes: decider.processes,
    /** Begins to count this process among those that share the limits while Redis is away. */
    start: () => decider.start(),
    /** Stops the timers and sends on what is in memory. The client stays open: it belongs to who made it. */
    close: () => decider.close()
  }
}

function bucketsOf({ kind }: Subject): BucketName[] {
  if (kind === 'user') return [...gateActions]
  return kind === 'address' ? ['address', 'auth', 'address_ai'] : ['login_failed']
}
