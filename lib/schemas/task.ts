import { z } from 'zod'
import { idFilterSchema, pageFields } from './page.ts'
import { descriptionSchema, idSchema, recordTimes, timeSchema, titleSchema } from './text.ts'

const taskStatuses = ['pending', 'in_progress', 'completed'] as const
export const taskStatusSchema = z.enum(taskStatuses)

const fields = {
  goalId: idSchema,
  title: titleSchema,
  description: descriptionSchema.nullable(),
  status: taskStatusSchema,
  position: z.int().min(0).max(1_000_000_000).describe('place among the tasks of the goal, from 0'),
  dueAt: timeSchema.nullable()
}

export const taskCreateSchema = z
  .strictObject({
    ...fields,
    description: fields.description.optional(),
    status: fields.status.default('pending'),
    position: fields.position.optional().describe('place among the tasks of the goal; after the last unless told'),
    dueAt: fields.dueAt.optional()
  })
  .meta({ id: 'TaskCreate' })
export type TaskCreate = z.infer<typeof taskCreateSchema>

export const taskPatchSchema = z.strictObject(fields).partial().meta({ id: 'TaskPatch' })
export type TaskPatch = z.infer<typeof taskPatchSchema>

export const taskSchema = z
  .object({
    id: z.uuid(),
    userId: z.uuid(),
    goalId: z.uuid(),
    title: z.string(),
    description: z.string().nullable(),
    status: taskStatusSchema,
    position: z.int(),
    dueAt: z.iso.datetime().nullable(),
    completedAt: z.iso.datetime().nullable(),
    ...recordTimes
  })
  .meta({ id: 'Task' })
export type TaskView = z.infer<typeof taskSchema>

export const taskQuerySchema = z.strictObject({
  ...pageFields,
  goalId: idFilterSchema.optional(),
  status: taskStatusSchema.optional(),
  userId: idFilterSchema.optional()
})
export type TaskQuery = z.infer<typeof taskQuerySchema>
