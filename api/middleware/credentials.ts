import type { Request } from 'express'
import type { Actor } from '../../lib/access/actor.ts'
import type { Authenticator } from '../../lib/auth/authenticator.ts'
import { AppError } from '../../lib/errors/app-error.ts'

/** The token of `Authorization: Bearer <token>` (RFC 6750, 2.1), the only place where one is taken from. */
export function bearerToken(req: Request): string | undefined {
  return /^bearer +([\x21-\x7e]+) *$/i.exec(req.get('authorization') ?? '')?.[1]
}

/** Who makes the request, or `undefined` for nobody we know. */
export async function actorOf(
  req: Request,
  authenticator: Pick<Authenticator, 'authenticate'>
): Promise<Actor | undefined> {
  const token = bearerToken(req)
  return token === undefined ? undefined : await authenticator.authenticate(token)
}

/** 401 for strangers (RFC 6750, 3: `invalid_token` only when one was sent). */
export function unauthorized(req: Request): AppError {
  const sent = bearerToken(req) !== undefined
  return new AppError('unauthorized', sent ? 'The token is not valid, or no longer' : 'Send a bearer token', {
    headers: { 'WWW-Authenticate': sent ? 'Bearer error="invalid_token"' : 'Bearer' }
  })
}
