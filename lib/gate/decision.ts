import { z } from 'zod'
import type { BucketState } from './bucket.ts'
import { type BucketName, bucketCapacity, type GateAction, gateActions, type GateLimits } from './limits.ts'

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

export type BucketSnapshot = { name: BucketName; capacity: number; remaining: number; refused: boolean }

/**
 * A decision on its way to its audit row.
 * The same id may be delivered more than once, and with two outcomes in one case: Redis carried out, too late, a call
 * that this process had given up and decided alone. The client was told `degraded`, so that one replaces the other, and
 * in every other case the first delivery stands.
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
  others: z.array(snapshotSchema)
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
  others: BucketSnapshot[]
): string {
  return JSON.stringify({
    id,
    userId: request.userId,
    ip: request.ip.slice(0, 64),
    method: request.method.slice(0, 16),
    path: request.path.slice(0, 512),
    userAgent: request.userAgent.slice(0, 512),
    buckets: buckets.map(({ name, limit }) => [name, bucketCapacity(limit)]),
    others
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
  return { ...who, at, outcome, action, limits: [...others, ...seen] as BucketSnapshot[] }
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
