import { z } from 'zod'
import type { BucketState } from './bucket.ts'
import { type GateAction, gateActions } from '../actions/actions.ts'
import { type BucketName, bucketCapacity, type GateLimits } from './limits.ts'

/** Who asked for what, from where. */
export type RequestFacts = {
  userId: string | null
  /** what the request asks for: an AI action, or `api_call` for everything else */
  action: GateAction
  method: string
  /** the route's pattern, or the path without its query */
  path: string
  ip: string
  userAgent: string
}

export type Outcome = 'allowed' | 'blocked' | 'degraded'

/** What the gate answers. */
export type Decision = {
  /** UUID v7; the audit row has the same */
  id: string
  /** by the clock of Redis; of this process while Redis is away */
  at: Date
  ok: boolean
  /** `degraded` whether it was let in or not, when this process had to decide alone */
  outcome: Outcome
  degraded: boolean
  /** what it is counted as: the AI action it asked for or took a token of, otherwise `api_call` */
  action: GateAction
  refusedBy: BucketName[]
  /** whole seconds after which the same request alone would be let in; 0 when it was */
  retryAfterSeconds: number
  /** the AI action's bucket first */
  buckets: BucketState[]
}

/** `name` is a bucket's, or that of another policy that refused, such as a budget. */
export type BucketSnapshot = { name: string; capacity: number; remaining: number; refused: boolean }

/**
 * A decision on its way to its audit row.
 * The same id may be delivered more than once, and with two outcomes in two cases: Redis carried out, too late, a call
 * that this process had given up and decided alone, and the client was told `degraded`; or a request that the gate had let
 * in was refused after all, by a budget, and the client was told so. The later word of `outcomesByWeight` is what holds.
 */
export type DecisionRecord = {
  id: string
  /** milliseconds since 1970, by the clock of Redis */
  at: number
  userId: string | null
  ip: string
  action: GateAction
  outcome: Outcome
  method: string
  path: string
  userAgent: string
  /** the buckets as the decision left them; in a degraded one, this process's share of them */
  limits: BucketSnapshot[]
  /** further refused requests that this one stands for, so far: what comes later under the same id is never less */
  repeats: number
}

/** Of two outcomes with one id the later in this list is what the client was told. */
const outcomesByWeight: Outcome[] = ['allowed', 'blocked', 'degraded']

/** The delivery that says most, of all with one id. */
export function decisionToKeep(same: DecisionRecord[]): DecisionRecord {
  const weight = ({ outcome, repeats }: DecisionRecord) => outcomesByWeight.indexOf(outcome) * 2 ** 40 + repeats
  return same.reduce((kept, other) => (weight(other) > weight(kept) ? other : kept))
}

const actions = new Set<string>(gateActions)

/** @returns whether the bucket belongs to one of the five AI actions */
export function isAiAction(name: BucketName): name is Exclude<GateAction, 'api_call'> {
  return name !== 'api_call' && actions.has(name)
}

/** A refused request is counted as what it asked for, one that was let in as what it took a token of. */
export function recordedActions(
  buckets: BucketName[],
  request: RequestFacts
): { allowed: GateAction; refused: GateAction } {
  const taken = buckets.find(isAiAction)
  const ofUser = buckets.some((name) => actions.has(name))
  return { allowed: taken ?? 'api_call', refused: taken ?? (ofUser ? request.action : 'api_call') }
}

const snapshotSchema = z.object({
  name: z.string(),
  capacity: z.number(),
  remaining: z.number(),
  refused: z.boolean()
})
const factsSchema = z.object({
  id: z.uuid(),
  userId: z.string().nullable(),
  ip: z.string(),
  method: z.string(),
  path: z.string(),
  userAgent: z.string(),
  /** buckets in the order of `remaining` and `short` */
  buckets: z.array(z.tuple([z.string(), z.number()])),
  /** buckets of another subject that the script did not see */
  others: z.array(snapshotSchema),
  repeats: z.number().int().nonnegative().default(0)
})
const entrySchema = z.object({
  facts: z.string(),
  at: z.coerce.number().int(),
  outcome: z.enum(['allowed', 'blocked', 'degraded']),
  action: z.enum(gateActions),
  remaining: z.string(),
  short: z.string()
})

/** @returns the facts as the script passes them on; long texts are cut, so that no request makes a large entry */
export function encodeFacts(
  id: string,
  request: RequestFacts,
  buckets: { name: BucketName; limit: GateLimits[BucketName] }[],
  others: BucketSnapshot[],
  repeats = 0
): string {
  return JSON.stringify({
    id,
    userId: request.userId,
    ip: request.ip.slice(0, 64),
    method: request.method.slice(0, 16),
    path: request.path.slice(0, 512),
    userAgent: request.userAgent.slice(0, 512),
    buckets: buckets.map(({ name, limit }) => [name, bucketCapacity(limit)]),
    others,
    ...(repeats > 0 ? { repeats } : {})
  })
}

/**
 * @param fields names and values in turn, as a stream entry has them
 * @returns the decision that was written, or `undefined` when it is none
 */
export function decodeDecision(fields: string[]): DecisionRecord | undefined {
  const entry: Record<string, string> = {}
  for (let i = 0; i + 1 < fields.length; i += 2) entry[fields[i] ?? ''] = fields[i + 1] ?? ''
  const written = entrySchema.safeParse(entry)
  if (!written.success) return undefined
  const { facts: text, at, outcome, action, remaining, short } = written.data
  const facts = factsSchema.safeParse(parseJson(text))
  if (!facts.success) return undefined

  const { buckets, others, ...who } = facts.data
  const left = remaining.split(',')
  const refused = short.split(',')
  const seen = buckets.map(([name, capacity], i) => ({
    name,
    capacity,
    remaining: Number(left[i]),
    refused: refused[i] === '1'
  }))
  return { ...who, at, outcome, action, limits: [...others, ...guardFirst(seen)] }
}

/** The bucket of an address is of interest only when it refused: then it comes first. */
export function guardFirst(seen: BucketSnapshot[]): BucketSnapshot[] {
  const isGuard = ({ name }: BucketSnapshot) => name === 'address_ai'
  return [...seen.filter((one) => isGuard(one) && one.refused), ...seen.filter((one) => !isGuard(one))]
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // no decision, as its reader will say
  }
}

export function snapshot(buckets: BucketState[], refusedBy: BucketName[]): BucketSnapshot[] {
  return buckets.map(({ name, capacity, remaining }) => ({
    name,
    capacity,
    remaining,
    refused: refusedBy.includes(name)
  }))
}
