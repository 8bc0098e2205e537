import type { IncomingMessage } from 'node:http'
import type { Actor } from '../../lib/access/actor.ts'
import { AppError, notFound } from '../../lib/errors/app-error.ts'

export type Credentials = {
  authenticate(token: string): Promise<Actor | undefined>
  redeem(ticket: string): Promise<Actor | undefined>
}

/** Names under which people send credentials in a URL, where logs and histories keep them. */
const secretNames = /^(access_?token|token|jwt|bearer|api_?key|key|authorization|auth)$/i

/**
 * Who asks for a socket: by the `Authorization` header, or by `?ticket=` where a browser cannot send one.
 * @throws AppError 404 for another path, 401 for nobody we know or a token in the URL, 422 for another parameter
 */
export async function authenticateUpgrade(request: IncomingMessage, credentials: Credentials): Promise<Actor> {
  // `//host` would name a host and not a path, and what is no URL at all names nothing.
  const url = /^\/(?!\/)/.test(request.url ?? '') ? URL.parse(request.url as string, 'http://localhost') : null
  if (url?.pathname !== '/ws') throw notFound('This path')
  for (const name of url.searchParams.keys()) {
    if (secretNames.test(name)) throw unauthorized('A token is never accepted in the URL: send the header, or a ticket')
    if (name !== 'ticket') throw new AppError('invalid', 'The only parameter is ticket')
  }
  const token = /^bearer +([\x21-\x7e]+) *$/i.exec(request.headers.authorization ?? '')?.[1]
  const ticket = url.searchParams.get('ticket')
  if (token === undefined && ticket === null) throw unauthorized('Send a bearer token, or a ticket')
  const actor = token === undefined ? await credentials.redeem(ticket as string) : await credentials.authenticate(token)
  if (!actor)
    throw unauthorized(token === undefined ? 'The ticket is not valid' : 'The token is not valid, or no longer')
  return actor
}

function unauthorized(message: string): AppError {
  return new AppError('unauthorized', message, { headers: { 'WWW-Authenticate': 'Bearer' } })
}
