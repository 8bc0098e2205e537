import { z } from 'zod'
import { idSchema } from './text.ts'

export const enrollmentCreateSchema = z.strictObject({ userId: idSchema }).meta({ id: 'EnrollmentCreate' })
export type EnrollmentCreate = z.infer<typeof enrollmentCreateSchema>

export const enrollmentSchema = z
  .object({ courseId: z.uuid(), userId: z.uuid(), createdAt: z.iso.datetime() })
  .meta({ id: 'Enrollment' })
export type EnrollmentView = z.infer<typeof enrollmentSchema>

export const enrollmentParamsSchema = z.object({
  id: z.string().meta({ format: 'uuid' }),
  userId: z.string().meta({ format: 'uuid' })
})
