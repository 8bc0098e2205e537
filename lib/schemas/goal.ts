import { z } from 'zod'
import { idFilterSchema, pageFields } from './page.ts'
import { descriptionSchema, idSchema, recordTimes, timeSchema, titleSchema } from './text.ts'

const goalStatuses = ['active', 'completed', 'archived'] as const
export const goalStatusSchema = z.enum(goalStatuses)

const fields = {
  title: titleSchema,
  description: descriptionSchema.nullable(),
  courseId: idSchema.nullable().describe('a course its user can see'),
  status: goalStatusSchema,
  dueAt: timeSchema.nullable()
}

export const goalCreateSchema = z
  .strictObject({
    ...fields,
    description: fields.description.optional(),
    courseId: fields.courseId.optional(),
    status: fields.status.default('active'),
    dueAt: fields.dueAt.optional()
  })
  .meta({ id: 'GoalCreate' })
export type GoalCreate = z.infer<typeof goalCreateSchema>

export const goalPatchSchema = z.strictObject(fields).partial().meta({ id: 'GoalPatch' })
export type GoalPatch = z.infer<typeof goalPatchSchema>

export const goalSchema = z
  .object({
    id: z.uuid(),
    userId: z.uuid(),
    courseId: z.uuid().nullable(),
    title: z.string(),
    description: z.string().nullable(),
    status: goalStatusSchema,
    progress: z.number().min(0).max(1).describe('share of its tasks that are completed'),
    dueAt: z.iso.datetime().nullable(),
    ...recordTimes
  })
  .meta({ id: 'Goal' })
export type GoalView = z.infer<typeof goalSchema>

export const goalQuerySchema = z.strictObject({
  ...pageFields,
  courseId: idFilterSchema.optional(),
  status: goalStatusSchema.optional(),
  userId: idFilterSchema.optional()
})
export type GoalQuery = z.infer<typeof goalQuerySchema>
