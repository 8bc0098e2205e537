import { z } from 'zod'
import { codeSnapshotCreateSchema } from './code-snapshot.ts'
import { courseCreateSchema } from './course.ts'
import { documentCreateSchema } from './document.ts'
import { goalCreateSchema } from './goal.ts'
import { taskCreateSchema } from './task.ts'
import { findUnstorable, idSchema, textSchema } from './text.ts'

export const maxBulkRecords = 500

/** The lists of a bulk call, in the order in which they are created, and the type of their records. */
export const bulkLists = {
  courses: 'course',
  goals: 'goal',
  tasks: 'task',
  codeSnapshots: 'code_snapshot',
  documents: 'document'
} as const
export type BulkList = keyof typeof bulkLists
export type BulkType = (typeof bulkLists)[BulkList]

/** A name that a client gives a record: unique for the user and the type. */
export const clientIdSchema = textSchema.min(1).max(300)

const clientId = clientIdSchema.optional().describe('your name for it: a second call with it creates nothing')
const refersTo = (what: string) =>
  clientIdSchema.optional().describe(`clientId of a ${what} of this call or an earlier one`)

const notBoth =
  <A extends string, B extends string>(first: A, second: B) =>
  (record: { [K in A | B]?: string | null | undefined }) =>
    record[first] === undefined || record[first] === null || record[second] === undefined
const notBothError = (first: string, second: string) => ({
  error: `${first} and ${second} exclude each other`,
  path: [second]
})

/** What each record of a bulk call is checked by when the job runs: one that is wrong keeps none of the others away. */
export const bulkRecordSchemas = {
  courses: courseCreateSchema.extend({ clientId }),
  goals: goalCreateSchema
    .extend({ clientId, courseClientId: refersTo('course') })
    .refine(notBoth('courseId', 'courseClientId'), notBothError('courseId', 'courseClientId')),
  tasks: taskCreateSchema
    .extend({ clientId, goalId: idSchema.optional(), goalClientId: refersTo('goal') })
    .refine(notBoth('goalId', 'goalClientId'), notBothError('goalId', 'goalClientId'))
    .refine(({ goalId, goalClientId }) => goalId !== undefined || goalClientId !== undefined, {
      error: 'goalId or goalClientId is required',
      path: ['goalId']
    }),
  codeSnapshots: codeSnapshotCreateSchema
    .extend({ clientId, taskClientId: refersTo('task') })
    .refine(notBoth('taskId', 'taskClientId'), notBothError('taskId', 'taskClientId')),
  documents: documentCreateSchema
    .extend({ clientId, courseClientId: refersTo('course') })
    .refine(notBoth('courseId', 'courseClientId'), notBothError('courseId', 'courseClientId'))
} as const

/** Counted before the elements are looked at: a body of 10 MiB has room for millions of wrong ones. */
const list = (name: BulkList) =>
  z
    .array(z.unknown())
    .max(maxBulkRecords)
    .pipe(z.array(z.record(z.string(), z.unknown())))
    .optional()
    .describe(`${name} to create, each as in its own POST, with a clientId if it is to be created once only`)

/**
 * `POST /bulk`: known lists of objects, 1 to 500 records in all, nothing that could not be stored as the job's input.
 * The records themselves are checked when the job runs.
 */
export const bulkInputSchema = z
  .strictObject({
    courses: list('courses'),
    goals: list('goals'),
    tasks: list('tasks'),
    codeSnapshots: list('codeSnapshots'),
    documents: list('documents')
  })
  .superRefine((input, context) => {
    const count = Object.values(input).reduce((sum, records) => sum + (records?.length ?? 0), 0)
    if (count < 1 || count > maxBulkRecords) {
      context.addIssue({ code: 'custom', message: `must have 1 to ${maxBulkRecords} records in all, not ${count}` })
      return
    }
    const problem = findUnstorable(input)
    if (problem) context.addIssue({ code: 'custom', ...problem })
  })
  .meta({ id: 'BulkRequest' })
export type BulkInput = z.infer<typeof bulkInputSchema>

const bulkTypeSchema = z.enum(Object.values(bulkLists) as [BulkType, ...BulkType[]])
const namedSchema = z.object({ clientId: z.string().optional(), type: bulkTypeSchema, id: z.uuid() })

export const bulkResultSchema = z
  .object({
    created: z.array(namedSchema),
    existing: z.array(namedSchema).describe('records that an earlier call, or this one, knew by the same clientId'),
    rejected: z.array(
      z.object({
        index: z.int().describe('place in its list, from 0'),
        type: bulkTypeSchema,
        clientId: z.string().optional(),
        errors: z.array(z.object({ path: z.string(), message: z.string() }))
      })
    )
  })
  .meta({ id: 'BulkResult' })
export type BulkResult = z.infer<typeof bulkResultSchema>
