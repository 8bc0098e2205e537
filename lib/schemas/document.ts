import { z } from 'zod'
import { idFilterSchema, pageFields, pageQuerySchema } from './page.ts'
import { atMostBytes, idSchema, recordTimes, textSchema, titleSchema } from './text.ts'

const maxMarkdownBytes = 5 * 1024 * 1024

const fields = {
  title: titleSchema,
  markdown: textSchema.min(1).refine(atMostBytes(maxMarkdownBytes), 'must have at most 5 MiB'),
  courseId: idSchema.nullable().describe('none: global knowledge, written by administrators alone')
}

export const documentCreateSchema = z
  .strictObject({ ...fields, courseId: fields.courseId.optional() })
  .meta({ id: 'DocumentCreate' })
export type DocumentCreate = z.infer<typeof documentCreateSchema>

/** `POST /courses/:id/documents`: the course stands in the path. */
export const courseDocumentCreateSchema = z
  .strictObject({ title: fields.title, markdown: fields.markdown })
  .meta({ id: 'CourseDocumentCreate' })

export const documentPatchSchema = z.strictObject(fields).partial().meta({ id: 'DocumentPatch' })
export type DocumentPatch = z.infer<typeof documentPatchSchema>

export const documentSchema = z
  .object({
    id: z.uuid(),
    ownerId: z.uuid(),
    courseId: z.uuid().nullable(),
    title: z.string(),
    markdown: z.string(),
    chunks: z.int().describe('pieces its embeddings consist of; 0 until they are made'),
    embeddedAt: z.iso.datetime().nullable(),
    ...recordTimes
  })
  .meta({ id: 'Document' })
export type DocumentView = z.infer<typeof documentSchema>

export const documentQuerySchema = z.strictObject({
  ...pageFields,
  courseId: idFilterSchema.optional(),
  ownerId: idFilterSchema.optional()
})
export type DocumentQuery = z.infer<typeof documentQuerySchema>

export const courseDocumentQuerySchema = pageQuerySchema
