import { z } from 'zod'
import { pageOf } from './page.ts'
import { isStorableText, textSchema, timeSchema } from './text.ts'
import { passwordSchema, userPatchSchema, userSchema } from './user.ts'

/** Looser than at registration: what could never be an account is simply a wrong pair. */
export const loginSchema = z
  .strictObject({
    email: z.string().min(1).max(254).refine(isStorableText, 'must be text'),
    password: z.string().min(1).max(1000)
  })
  .meta({ id: 'Login' })
export type Login = z.infer<typeof loginSchema>

export const passwordChangeSchema = z
  .strictObject({ current: z.string().min(1).max(1000), next: passwordSchema })
  .meta({ id: 'PasswordChange' })
export type PasswordChange = z.infer<typeof passwordChangeSchema>

/** `PATCH /users/:id`: to change one's own password that way takes the current one too. */
export const userChangeSchema = userPatchSchema
  .extend({ currentPassword: z.string().min(1).max(1000).optional() })
  .meta({ id: 'UserChange' })
export type UserChange = z.infer<typeof userChangeSchema>

export const tokenSchema = z.object({ token: z.string(), expiresAt: z.iso.datetime() }).meta({ id: 'Token' })

export const registeredSchema = tokenSchema.extend({ user: userSchema }).meta({ id: 'Registered' })

export const apiKeyCreateSchema = z
  .strictObject({ name: textSchema.trim().min(1).max(100), expiresAt: timeSchema.nullish() })
  .meta({ id: 'ApiKeyCreate' })
export type ApiKeyCreate = z.infer<typeof apiKeyCreateSchema>

export const apiKeySchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    hint: z.string().describe('the last four characters of the key'),
    expiresAt: z.iso.datetime().nullable(),
    lastUsedAt: z.iso.datetime().nullable().describe('to the minute'),
    createdAt: z.iso.datetime()
  })
  .meta({ id: 'ApiKey' })
export type ApiKeyView = z.infer<typeof apiKeySchema>

export const newApiKeySchema = apiKeySchema
  .extend({ key: z.string().describe('shown this once') })
  .meta({ id: 'NewApiKey' })
export const apiKeyListSchema = pageOf(apiKeySchema)

export const ticketSchema = z
  .object({ ticket: z.string().describe('for `/ws?ticket=`, once, within 30 s'), expiresAt: z.iso.datetime() })
  .meta({ id: 'SocketTicket' })
