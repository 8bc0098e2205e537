import type { Auth } from '../../lib/auth/index.ts'
import { AppError, invalidField } from '../../lib/errors/app-error.ts'
import {
  apiKeyCreateSchema,
  apiKeyListSchema,
  loginSchema,
  newApiKeySchema,
  passwordChangeSchema,
  registeredSchema,
  ticketSchema,
  tokenSchema
} from '../../lib/schemas/auth.ts'
import { idParamsSchema, pageQuerySchema } from '../../lib/schemas/page.ts'
import { registrationSchema } from '../../lib/schemas/user.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { smallBodyBytes } from '../intake/limits.ts'
import type { GuessGuard } from '../middleware/guess-guard.ts'
import { addressOf } from '../middleware/rate-limit.ts'

type Needs = Pick<Auth, 'accounts' | 'apiKeys' | 'tickets'> & { guessGuard: GuessGuard }

const tag = 'Credentials'
/** What holds a secret is stored by nobody on the way (RFC 6749, 5.1). */
const secret = { 'Cache-Control': 'no-store' }

/** Registration, logins, passwords, API keys and tickets for sockets. */
export function authEndpoints({ accounts, apiKeys, tickets, guessGuard }: Needs): Endpoint[] {
  return [
    endpoint({
      method: 'post',
      path: '/auth/register',
      summary: 'Create an account and log in',
      tag,
      access: 'public',
      limit: 'auth',
      body: registrationSchema,
      bodyLimitBytes: smallBodyBytes,
      responses: {
        201: {
          description: 'The new account and its token',
          schema: registeredSchema,
          headers: { Location: 'where the account is read' }
        }
      },
      async handler({ body }) {
        const { user, token, expiresAt } = await accounts.register(body)
        const headers = { ...secret, Location: `/api/v1/users/${user.id}` }
        return { status: 201, body: { user, token, expiresAt: expiresAt.toISOString() }, headers }
      }
    }),
    endpoint({
      method: 'post',
      path: '/auth/token',
      summary: 'Log in: a token for twelve hours',
      tag,
      access: 'public',
      limit: 'auth',
      body: loginSchema,
      bodyLimitBytes: smallBodyBytes,
      responses: { 200: { description: 'The token', schema: tokenSchema } },
      async handler({ body, req, res, decision }) {
        const guess = { req, res, decision, open: true, who: body.email }
        const session = await guessGuard(guess, () => accounts.login(body, { ip: addressOf(req) }))
        if (!session) {
          throw new AppError('invalid_credentials', 'E-mail or password is wrong', {
            headers: { 'WWW-Authenticate': 'Bearer' }
          })
        }
        const { token, expiresAt } = session
        return { status: 200, body: { token, expiresAt: expiresAt.toISOString() }, headers: secret }
      }
    }),
    endpoint({
      method: 'post',
      path: '/auth/logout',
      summary: 'Revoke the token this request came with',
      tag,
      access: 'user',
      responses: { 204: { description: 'The token is no longer valid' } },
      async handler({ actor }) {
        await accounts.logout(actor)
        return { status: 204 }
      }
    }),
    endpoint({
      method: 'post',
      path: '/auth/password',
      summary: 'Change your password and revoke every other credential',
      tag,
      access: 'user',
      body: passwordChangeSchema,
      bodyLimitBytes: smallBodyBytes,
      responses: { 204: { description: 'The new password holds' } },
      async handler({ actor, body, req, res, decision, signal }) {
        const guess = { req, res, decision, open: false, who: actor.id }
        const changed = await guessGuard(guess, () => accounts.changePassword(actor, body, signal))
        if (!changed) throw invalidField('current', 'is not the current password')
        return { status: 204 }
      }
    }),
    endpoint({
      method: 'get',
      path: '/auth/api-keys',
      summary: 'List your API keys, newest first',
      tag,
      access: 'user',
      query: pageQuerySchema,
      responses: { 200: { description: 'A page of keys, without their secrets', schema: apiKeyListSchema } },
      async handler({ actor, query }) {
        return { status: 200, body: await apiKeys.list(actor, query) }
      }
    }),
    endpoint({
      method: 'post',
      path: '/auth/api-keys',
      summary: 'Make an API key, shown this once',
      tag,
      access: 'user',
      body: apiKeyCreateSchema,
      bodyLimitBytes: smallBodyBytes,
      responses: {
        201: { description: 'The key', schema: newApiKeySchema, headers: { Location: 'where it can be revoked' } }
      },
      async handler({ actor, body }) {
        const key = await apiKeys.create(actor, body)
        return { status: 201, body: key, headers: { ...secret, Location: `/api/v1/auth/api-keys/${key.id}` } }
      }
    }),
    endpoint({
      method: 'delete',
      path: '/auth/api-keys/:id',
      summary: 'Revoke an API key',
      tag,
      access: 'user',
      params: idParamsSchema,
      responses: { 204: { description: 'The key is no longer valid' } },
      async handler({ actor, params: { id } }) {
        await apiKeys.revoke(actor, id)
        return { status: 204 }
      }
    }),
    endpoint({
      method: 'post',
      path: '/auth/ws-tickets',
      summary: 'A ticket with which a browser opens one socket',
      tag,
      access: 'user',
      responses: { 201: { description: 'Good for 30 s and once', schema: ticketSchema } },
      async handler({ actor }) {
        const { ticket, expiresAt } = await tickets.issue(actor)
        return { status: 201, body: { ticket, expiresAt: expiresAt.toISOString() }, headers: secret }
      }
    })
  ]
}
