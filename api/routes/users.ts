import type { Auth } from '../../lib/auth/index.ts'
import { etagOf } from '../../lib/etag.ts'
import { invalidField } from '../../lib/errors/app-error.ts'
import { userChangeSchema } from '../../lib/schemas/auth.ts'
import { idParamsSchema, pageOf, pageQuerySchema } from '../../lib/schemas/page.ts'
import { type UserView, userCreateSchema, userSchema } from '../../lib/schemas/user.ts'
import { type Endpoint, endpoint, type Reply } from '../endpoint.ts'
import { smallBodyBytes } from '../intake/limits.ts'
import type { GuessGuard } from '../middleware/guess-guard.ts'

type Needs = Pick<Auth, 'accounts' | 'users'> & { guessGuard: GuessGuard }

const tag = 'Users'
const etagHeader = { ETag: 'names this representation, for `If-Match`' }

const shown = (user: UserView): Reply => ({ status: 200, body: user, headers: { ETag: etagOf(user) } })

/** People: themselves for everyone, everybody for administrators. */
export function userEndpoints({ accounts, users, guessGuard }: Needs): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/users/me',
      summary: 'Read yourself',
      tag,
      access: 'user',
      responses: { 200: { description: 'You', schema: userSchema, headers: etagHeader } },
      handler: async ({ actor }) => shown(await users.find(actor, actor.id))
    }),
    endpoint({
      method: 'get',
      path: '/users',
      summary: 'List users, newest first: yourself, or everybody for administrators',
      tag,
      access: 'user',
      query: pageQuerySchema,
      responses: { 200: { description: 'A page of users', schema: pageOf(userSchema) } },
      async handler({ actor, query }) {
        return { status: 200, body: await users.list(actor, query) }
      }
    }),
    endpoint({
      method: 'post',
      path: '/users',
      summary: 'Create a user',
      tag,
      access: 'admin',
      body: userCreateSchema,
      bodyLimitBytes: smallBodyBytes,
      responses: {
        201: { description: 'The user', schema: userSchema, headers: { Location: 'where the user is read' } }
      },
      async handler({ body, signal }) {
        const user = await accounts.create(body, signal)
        return { status: 201, body: user, headers: { ETag: etagOf(user), Location: `/api/v1/users/${user.id}` } }
      }
    }),
    endpoint({
      method: 'get',
      path: '/users/:id',
      summary: 'Read a user',
      tag,
      access: 'user',
      params: idParamsSchema,
      responses: { 200: { description: 'The user', schema: userSchema, headers: etagHeader } },
      handler: async ({ actor, params: { id } }) => shown(await users.find(actor, id))
    }),
    endpoint({
      method: 'patch',
      path: '/users/:id',
      summary: 'Change a user; only administrators change a role, and your own password takes the current one',
      tag,
      access: 'user',
      params: idParamsSchema,
      body: userChangeSchema,
      bodyLimitBytes: smallBodyBytes,
      responses: { 200: { description: 'The user as it is now', schema: userSchema, headers: etagHeader } },
      async handler({ actor, params: { id }, body, req, res, decision, signal }) {
        const change = () => users.update(actor, id, body, req.get('if-match'), signal)
        if (body.currentPassword === undefined) return shown((await change()) as UserView)
        const user = await guessGuard({ req, res, decision, open: false, who: actor.id }, change)
        if (!user) throw invalidField('currentPassword', 'is not the current password')
        return shown(user)
      }
    }),
    endpoint({
      method: 'delete',
      path: '/users/:id',
      summary: 'Delete a user and what is theirs',
      tag,
      access: 'user',
      params: idParamsSchema,
      responses: { 204: { description: 'Deleted' } },
      async handler({ actor, params: { id } }) {
        await users.remove(actor, id)
        return { status: 204 }
      }
    })
  ]
}
