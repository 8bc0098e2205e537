import type { Auth } from '../../lib/auth/index.ts'
import { invitationCreateSchema, invitationListSchema, newInvitationSchema } from '../../lib/schemas/invitation.ts'
import { idParamsSchema, pageQuerySchema } from '../../lib/schemas/page.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { smallBodyBytes } from '../intake/limits.ts'

const tag = 'Users'
const access = 'admin'

/** Invitations, for installations whose registration is not open to everybody. */
export function invitationEndpoints({ invitations }: Pick<Auth, 'invitations'>): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/users/invitations',
      summary: 'List invitations, newest first, used ones too',
      tag,
      access,
      query: pageQuerySchema,
      responses: { 200: { description: 'A page of invitations, without their codes', schema: invitationListSchema } },
      async handler({ query }) {
        return { status: 200, body: await invitations.list(query) }
      }
    }),
    endpoint({
      method: 'post',
      path: '/users/invitations',
      summary: 'Make a code with which one person may register; it is shown this once',
      tag,
      access,
      body: invitationCreateSchema,
      bodyLimitBytes: smallBodyBytes,
      responses: {
        201: {
          description: 'The invitation',
          schema: newInvitationSchema,
          headers: { Location: 'where it can be revoked' }
        }
      },
      async handler({ actor, body }) {
        const invitation = await invitations.create(actor, body)
        const headers = { 'Cache-Control': 'no-store', Location: `/api/v1/users/invitations/${invitation.id}` }
        return { status: 201, body: invitation, headers }
      }
    }),
    endpoint({
      method: 'delete',
      path: '/users/invitations/:id',
      summary: 'Revoke an invitation; an account that was made with it stays',
      tag,
      access,
      params: idParamsSchema,
      responses: { 204: { description: 'Its code is worth nothing' } },
      async handler({ params: { id } }) {
        await invitations.revoke(id)
        return { status: 204 }
      }
    })
  ]
}
