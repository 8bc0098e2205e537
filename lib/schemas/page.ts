import { z } from 'zod'

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether a text from a path or channel can be an id at all; anything else is simply not found. */
export const isUuid = (text: string): boolean => uuidPattern.test(text)

/** An id in a query: one that nobody has finds nothing. */
export const idFilterSchema = z.string().refine(isUuid, 'must be an id').meta({ format: 'uuid' })

/** Where a list goes on: the id of the last record shown, in base64url so that nobody reads more into it. */
export const encodeCursor = (id: string): string => Buffer.from(id).toString('base64url')

/** A cursor that a list gave out; read as the id in it. */
export const cursorSchema = z
  .string()
  .max(100)
  .transform((text, context) => {
    const id = Buffer.from(text, 'base64url').toString()
    if (isUuid(id) && encodeCursor(id) === text) return id
    context.addIssue({ code: 'custom', message: 'is not a cursor that a list gave out' })
    return z.NEVER
  })

const limitRule = 'must be a whole number from 1 to 100'

/** `limit` of a query: digits and nothing else, where JavaScript would also read `0x10` and `1e2` as numbers. */
export const limitOf = (fallback: number) =>
  z
    .preprocess(
      (text) => (typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : text),
      z.int(limitRule).min(1, limitRule).max(100, limitRule)
    )
    .default(fallback)
    .describe(`${fallback} unless told`)
export const limitSchema = limitOf(25)

/** Query parameters of every list; a list with filters spreads them into a strict object of its own. */
export const pageFields = { limit: limitSchema, cursor: cursorSchema.optional() }
export const pageQuerySchema = z.strictObject(pageFields)
export type PageQuery = z.infer<typeof pageQuerySchema>

export type Page<T> = { data: T[]; nextCursor: string | null }

/** The answer of a list of these. */
export const pageOf = <T extends z.ZodType>(schema: T) =>
  z.object({ data: z.array(schema), nextCursor: z.string().nullable() })

/** `:id` of a path. Not checked here: what is no UUID is a record that does not exist (404), not a wrong field. */
export const idParamsSchema = z.object({ id: z.string().meta({ format: 'uuid' }) })
