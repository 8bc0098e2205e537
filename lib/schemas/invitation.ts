import { z } from 'zod'
import { pageOf } from './page.ts'
import { timeSchema } from './text.ts'
import { emailSchema } from './user.ts'

/** `POST /users/invitations`. */
export const invitationCreateSchema = z
  .strictObject({
    email: emailSchema.optional().describe('the only address that may register with it'),
    expiresAt: timeSchema.optional().describe('in fourteen days unless told')
  })
  .meta({ id: 'InvitationCreate' })
export type InvitationCreate = z.infer<typeof invitationCreateSchema>

const invitationSchema = z
  .object({
    id: z.uuid(),
    hint: z.string().describe('the last four characters of the code'),
    email: z.string().nullable(),
    expiresAt: z.iso.datetime(),
    usedAt: z.iso.datetime().nullable(),
    usedBy: z.uuid().nullable(),
    createdAt: z.iso.datetime()
  })
  .meta({ id: 'Invitation' })
export type InvitationView = z.infer<typeof invitationSchema>

export const newInvitationSchema = invitationSchema
  .extend({ code: z.string().describe('shown this once') })
  .meta({ id: 'NewInvitation' })
export const invitationListSchema = pageOf(invitationSchema)
