import type { Request, Response } from 'express'
import type { z } from 'zod'
import type { Actor } from '../lib/access/actor.ts'
import type { Decision } from '../lib/gate/decision.ts'
import type { AiAction } from '../lib/actions/actions.ts'

/**
 * One route as data: what the mounted handler, the OpenAPI document and the tests all read.
 * Express is only behind it; a handler takes parsed input and returns a reply.
 */
export type Endpoint = {
  method: 'get' | 'post' | 'patch' | 'put' | 'delete'
  /** Express path below the mount point, for example `/goals/:id` */
  path: string
  summary: string
  tag: string
  /** `public`: no credential; `user`: any; `admin`: administrators (others 403) */
  access: 'public' | 'user' | 'admin'
  /**
   * What it takes besides the `api_call` of its user: the token of an AI action, which its handler takes;
   * `auth`: the bucket of the address for token and register routes, instead of `api_call`.
   */
  limit?: AiAction | 'auth'
  /** largest body in bytes, when another than 1 MiB */
  bodyLimitBytes?: number
  /** most elements and members in the body, when another number than 1,000 */
  bodyLimitValues?: number
  /** where a large body is checked on the thread that parses it, so that the handler gets a `JsonText` of it */
  checkLargeAs?: AiAction
  params?: z.ZodType
  query?: z.ZodType
  body?: z.ZodType
  /** replies by status; problem replies are added by the document builder */
  responses: Record<number, { description: string; schema?: z.ZodType; headers?: Record<string, string> }>
  handler: (input: EndpointInput) => Promise<Reply>
}

export type EndpointInput<P = unknown, Q = unknown, B = unknown> = {
  params: P
  query: Q
  body: B
  /** never read on a `public` endpoint */
  actor: Actor
  req: Request
  /** only for what cannot be a reply: streams */
  res: Response
  /**
   * aborted with the 401 to answer when the credential ends: for what waits before it has an effect. Never aborted on a
   * `public` endpoint
   */
  signal: AbortSignal
  /** key of the body as it was sent: equal for equal values */
  bodyHash: () => string
  /** To be called by what waits for something after it has stored the body: its memory may be another's. */
  bodyDone: () => void
  /** the gate's decision that let this request in */
  decision: Decision
  /**
   * Takes the token of the endpoint's AI action, before the job is made. A repetition of an `Idempotency-Key` is answered
   * without it.
   * @returns the gate's final decision, whose id and time travel with the job
   * @throws AppError 429 when there is no token
   */
  takeToken: () => Promise<Decision>
}

/** `streamed`: the handler wrote to `res` itself. `json`: the body, where it has been written as JSON already. */
export type Reply =
  | { status: number; body?: unknown; json?: string | undefined; headers?: Record<string, string> }
  | 'streamed'

type Output<S> = S extends z.ZodType ? z.output<S> : undefined

/** Types a route by its own schemas; returns it unchanged. */
export function endpoint<
  P extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
  B extends z.ZodType | undefined = undefined
>(
  definition: Omit<Endpoint, 'params' | 'query' | 'body' | 'handler'> & {
    params?: P
    query?: Q
    body?: B
    handler: (input: EndpointInput<Output<P>, Output<Q>, Output<B>>) => Promise<Reply>
  }
): Endpoint {
  return definition as unknown as Endpoint
}
