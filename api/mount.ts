import type { Request, RequestHandler, Response } from 'express'
import { type Actor, isAdmin } from '../lib/access/actor.ts'
import type { Authenticator } from '../lib/auth/authenticator.ts'
import { AppError, notFound } from '../lib/errors/app-error.ts'
import type { Decision } from '../lib/gate/decision.ts'
import type { Gate } from '../lib/gate/gate.ts'
import type { AiAction } from '../lib/actions/actions.ts'
import type { CredentialWatch } from './credential-watch.ts'
import type { Endpoint, EndpointInput } from './endpoint.ts'
import { holdCredential, unlessEnded } from './held-credential.ts'
import type { Body, BodyReader } from './intake/body-reader.ts'
import { usualBody } from './intake/limits.ts'
import { actorOf, unauthorized } from './middleware/credentials.ts'
import { addressOf, enforce, requestFacts } from './middleware/rate-limit.ts'
import { validate } from './middleware/validate.ts'
import { methodNotAllowed } from './middleware/wrong-method.ts'
import { sendReply } from './reply.ts'
import { createRouteTable, type RouteMatch } from './route-table.ts'

type Needs = {
  endpoints: Endpoint[]
  /** where this is mounted, `/api/v1`: part of what logs, metrics and audits call a route */
  basePath: string
  authenticator: Pick<Authenticator, 'authenticate'>
  gate: Gate
  /** tells when the credential of a request ends before its answer */
  watch: Pick<CredentialWatch, 'add' | 'remove'>
  bodies: Pick<BodyReader, 'read'>
}

/** Who was let in. `open`: the decision is not final until it is upgraded or settled. */
type Admitted = { actor: Actor | undefined; decision: Decision; open: boolean }

/**
 * Serves endpoints. The order is the contract's: route, credential, gate, role, body, its shape, the token of an AI
 * action, the handler. So an invalid body costs an `api_call` only, and no large body is read for a stranger.
 * Everything that goes wrong is thrown to the error handler; the limits are on the answer by then.
 */
export function mountEndpoints({ endpoints, basePath, authenticator, gate, watch, bodies }: Needs): RequestHandler {
  const table = createRouteTable(endpoints)

  return async (req, res) => {
    const match = table.match(req.method, req.path)
    // An answer without a body can be no stream: what it would be as JSON is told.
    if (req.method === 'HEAD') req.headers.accept = 'application/json'
    const pattern = patternOf(match)
    res.locals.route = pattern === undefined ? undefined : basePath + pattern
    const admitted = await admit(req, res, match)
    try {
      if (req.method === 'OPTIONS' && match.kind === 'wrong method') {
        res.set('Allow', match.allow.join(', ')).status(204).end()
        return
      }
      const { endpoint, params } = expectEndpoint(match)
      if (endpoint.access !== 'public' && !admitted.actor) throw unauthorized(req)
      if (endpoint.access === 'admin' && !isAdmin(admitted.actor as Actor)) {
        throw new AppError('forbidden', 'This is for administrators')
      }
      await serveHeld(endpoint, params, admitted, req, res)
    } finally {
      if (admitted.open) await gate.settle(admitted.decision)
    }
  }

  /** @throws AppError 429; and whatever keeps a credential from being looked up, once the address has paid for it */
  async function admit(req: Request, res: Response, match: RouteMatch): Promise<Admitted> {
    const limit = match.kind === 'endpoint' ? match.endpoint.limit : undefined
    const path = (res.locals.route as string | undefined) ?? basePath + req.path
    const byAddress = { kind: 'address', address: addressOf(req) } as const

    if (limit === 'auth') {
      const request = requestFacts(req, { userId: null, action: 'api_call', path })
      const decision = await gate.admit({ subject: byAddress, buckets: ['auth'], request })
      enforce(res, decision)
      return { actor: undefined, decision, open: true }
    }

    let failure: unknown
    const actor = await actorOf(req, authenticator).catch((error: unknown) => {
      failure = error
      return undefined
    })
    if (!actor) {
      const request = requestFacts(req, { userId: null, action: 'api_call', path })
      const decision = await gate.take({ subject: byAddress, buckets: ['address'], request })
      enforce(res, decision)
      if (failure !== undefined) throw failure
      return { actor, decision, open: false }
    }

    res.locals.userId = actor.id
    const subject = { kind: 'user', id: actor.id } as const
    const request = requestFacts(req, { userId: actor.id, action: limit ?? 'api_call', path })
    const decision = limit
      ? await gate.admit({ subject, request })
      : await gate.take({ subject, buckets: ['api_call'], request })
    enforce(res, decision)
    return { actor, decision, open: limit !== undefined }
  }

  /** Serves while the credential holds, if there is one: whatever waits is told of its end. */
  async function serveHeld(
    endpoint: Endpoint,
    params: Record<string, string>,
    admitted: Admitted,
    req: Request,
    res: Response
  ): Promise<void> {
    if (!admitted.actor) return await serve(endpoint, params, admitted, never, req, res)
    const held = holdCredential(watch, req, admitted.actor)
    try {
      await serve(endpoint, params, admitted, held.ended, req, res)
    } finally {
      held.release()
    }
  }

  async function serve(
    endpoint: Endpoint,
    rawParams: Record<string, string>,
    { actor, decision }: Admitted,
    signal: AbortSignal,
    req: Request,
    res: Response
  ): Promise<void> {
    const body = endpoint.body ? await readHeld(endpoint, signal, actor, req, res) : undefined
    try {
      // A repetition takes no token, so one that may be a repetition does not ask for it ahead.
      if (isAiLimit(endpoint.limit) && req.get('idempotency-key') === undefined) gate.expectUpgrade(decision)
      const parsed = validate(endpoint, { params: rawParams, query: req.query, body: body?.content })
      const bodyHash = body?.hash ?? noHash
      let taken = decision
      async function takeToken(): Promise<Decision> {
        taken = await gate.upgrade(decision)
        enforce(res, taken)
        return taken
      }
      const input = { ...parsed, actor, req, res, decision, takeToken, signal, bodyHash, bodyDone } as EndpointInput
      function bodyDone(): void {
        parsed.body = undefined
        input.body = undefined
        body?.release()
      }

      const reply = await endpoint.handler(input).catch(async (error: unknown) => {
        // What the gate has let in, by a submission or a retry; whatever else refuses writes its own decision.
        const policies = error instanceof AppError ? error.extras.members?.['violated-policies'] : undefined
        if (Array.isArray(policies) && policies.includes('budget')) await gate.refuse(taken, policies.map(String))
        throw error
      })
      await sendReply(req, res, reply)
    } finally {
      body?.release()
    }
  }

  /**
   * Reads the body, unless the credential ends before all of it has come.
   * @throws AppError 400, 413, 415, 422 and 503, see `BodyReader`
   */
  async function readHeld(
    endpoint: Endpoint,
    ended: AbortSignal,
    actor: Actor | undefined,
    req: Request,
    res: Response
  ): Promise<Body> {
    const { bytes, values } = usualBody
    const reading = bodies.read(req, res, {
      owner: actor?.id ?? `address:${addressOf(req)}`,
      limits: { bytes: endpoint.bodyLimitBytes ?? bytes, values: endpoint.bodyLimitValues ?? values },
      checkAs: endpoint.checkLargeAs
    })
    try {
      return await unlessEnded(reading, ended)
    } finally {
      if (ended.aborted) {
        res.set('Connection', 'close') // the rest is not read
        reading.then(({ release }) => release()).catch(() => undefined)
      }
    }
  }
}

const noHash = () => ''

/** For requests without a credential. */
const never = new AbortController().signal

const isAiLimit = (limit: Endpoint['limit']): limit is AiAction => limit !== undefined && limit !== 'auth'

function patternOf(match: RouteMatch): string | undefined {
  if (match.kind === 'unknown') return undefined
  return match.kind === 'endpoint' ? match.endpoint.path : match.pattern
}

/** @throws AppError 404 or 405 */
function expectEndpoint(match: RouteMatch): Extract<RouteMatch, { kind: 'endpoint' }> {
  if (match.kind === 'unknown') throw notFound('This path')
  if (match.kind === 'endpoint') return match
  throw methodNotAllowed(match.allow)
}
