import { z } from 'zod'
import { recordTimes, textSchema } from './text.ts'

const roles = ['user', 'admin'] as const
const roleSchema = z.enum(roles)

/** Kept as it is written; unique without regard to case. RFC 5321 allows 254 characters in a path. */
export const emailSchema = z.email().max(254)

/** Never stored, only its hash. */
export const passwordSchema = z.string().min(10).max(200)

const name = textSchema.trim().max(200)

/** What a person may say of themselves: the body of `POST /auth/register`. */
export const registrationSchema = z
  .strictObject({
    email: emailSchema,
    password: passwordSchema,
    name: name.default(''),
    invitation: z.string().max(200).optional().describe('a code, where registration is by invitation')
  })
  .meta({ id: 'Registration' })
export type Registration = z.infer<typeof registrationSchema>

/** `POST /users`, for administrators. */
export const userCreateSchema = z
  .strictObject({
    email: emailSchema,
    password: passwordSchema,
    name: name.default(''),
    role: roleSchema.default('user')
  })
  .meta({ id: 'UserCreate' })
export type UserCreate = z.infer<typeof userCreateSchema>

/** `PATCH /users/:id`; only administrators change a role. */
export const userPatchSchema = z
  .strictObject({ email: emailSchema, password: passwordSchema, name, role: roleSchema })
  .partial()
  .meta({ id: 'UserPatch' })

export const userSchema = z
  .object({ id: z.uuid(), email: z.string(), name: z.string(), role: roleSchema, ...recordTimes })
  .meta({ id: 'User' })
export type UserView = z.infer<typeof userSchema>
