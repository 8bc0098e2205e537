import { z } from 'zod'
import { maxSourceBytes } from './code-validation.ts'
import { idFilterSchema, pageFields } from './page.ts'
import { atMostBytes, idSchema, recordTimes, textSchema } from './text.ts'

const fields = {
  language: textSchema.trim().min(1).max(50),
  source: textSchema.min(1).refine(atMostBytes(maxSourceBytes), 'must have at most 256 KiB'),
  taskId: idSchema.nullable(),
  path: textSchema.trim().min(1).max(1_000).nullable(),
  note: textSchema.max(10_000).nullable()
}

export const codeSnapshotCreateSchema = z
  .strictObject({
    ...fields,
    taskId: fields.taskId.optional(),
    path: fields.path.optional(),
    note: fields.note.optional()
  })
  .meta({ id: 'CodeSnapshotCreate' })
export type CodeSnapshotCreate = z.infer<typeof codeSnapshotCreateSchema>

export const codeSnapshotPatchSchema = z.strictObject(fields).partial().meta({ id: 'CodeSnapshotPatch' })
export type CodeSnapshotPatch = z.infer<typeof codeSnapshotPatchSchema>

export const codeSnapshotSchema = z
  .object({
    id: z.uuid(),
    userId: z.uuid(),
    taskId: z.uuid().nullable(),
    language: z.string(),
    source: z.string(),
    path: z.string().nullable(),
    note: z.string().nullable(),
    sizeBytes: z.int().describe('of the source, in UTF-8'),
    ...recordTimes
  })
  .meta({ id: 'CodeSnapshot' })
export type CodeSnapshotView = z.infer<typeof codeSnapshotSchema>

export const codeSnapshotQuerySchema = z.strictObject({
  ...pageFields,
  taskId: idFilterSchema.optional(),
  language: textSchema.optional().describe('without regard to case'),
  userId: idFilterSchema.optional()
})
export type CodeSnapshotQuery = z.infer<typeof codeSnapshotQuerySchema>
