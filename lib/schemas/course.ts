import { z } from 'zod'
import { idFilterSchema, pageFields } from './page.ts'
import { descriptionSchema, recordTimes, textSchema, titleSchema } from './text.ts'

const visibilities = ['private', 'enrolled', 'public'] as const
const visibilitySchema = z.enum(visibilities)

/** The shape of a language tag (RFC 5646), for example `en` or `pt-BR`. Which languages there are is not checked. */
const languageTag = z
  .string()
  .max(35)
  .regex(/^[A-Za-z]+(-[A-Za-z0-9]+)*$/, 'must look like "en" or "pt-BR"')

const fields = {
  title: titleSchema,
  description: descriptionSchema.nullable(),
  language: languageTag.describe('natural language of its texts'),
  subject: titleSchema.nullable().describe('what it is about; for a programming course its language'),
  visibility: visibilitySchema.describe(
    'public: everybody sees it; otherwise its owner and those enrolled. Whatever it is, only its owner writes it'
  )
}

export const courseCreateSchema = z
  .strictObject({
    ...fields,
    description: fields.description.optional(),
    language: fields.language.default('en'),
    subject: fields.subject.optional(),
    visibility: fields.visibility.default('private')
  })
  .meta({ id: 'CourseCreate' })
export type CourseCreate = z.infer<typeof courseCreateSchema>

export const coursePatchSchema = z.strictObject(fields).partial().meta({ id: 'CoursePatch' })
export type CoursePatch = z.infer<typeof coursePatchSchema>

export const courseSchema = z
  .object({
    id: z.uuid(),
    ownerId: z.uuid(),
    title: z.string(),
    description: z.string().nullable(),
    language: z.string(),
    subject: z.string().nullable(),
    visibility: visibilitySchema,
    ...recordTimes
  })
  .meta({ id: 'Course' })
export type CourseView = z.infer<typeof courseSchema>

export const courseQuerySchema = z.strictObject({
  ...pageFields,
  visibility: visibilitySchema.optional(),
  subject: textSchema.optional(),
  ownerId: idFilterSchema.optional()
})
export type CourseQuery = z.infer<typeof courseQuerySchema>
