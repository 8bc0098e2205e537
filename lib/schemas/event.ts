import { z } from 'zod'
import { idFilterSchema, isUuid, limitSchema } from './page.ts'
import { atMostBytes, findUnstorable, recordTimes, textSchema } from './text.ts'

const maxEventDataBytes = 64 * 1024

const dataSchema = z
  .unknown()
  .transform((value, context): unknown => {
    const problem = findUnstorable(value)
    if (problem) context.addIssue({ code: 'custom', ...problem })
    else if (!atMostBytes(maxEventDataBytes)(JSON.stringify(value ?? null))) {
      context.addIssue({ code: 'custom', message: 'must have at most 64 KiB as JSON' })
    } else return value ?? null
    return z.NEVER
  })
  .describe('any JSON value')

/** `POST /events`: what a client has to tell. The prefix keeps it apart from what the platform itself says. */
export const eventCreateSchema = z
  .strictObject({
    type: z
      .string()
      .max(200)
      .regex(/^client(\.[A-Za-z0-9_-]+)+$/, 'must begin with "client." and consist of words joined by dots'),
    subject: textSchema.min(1).max(300).nullable().optional(),
    data: dataSchema.optional()
  })
  .meta({ id: 'EventCreate' })
export type EventCreate = z.infer<typeof eventCreateSchema>

export const eventSchema = z
  .object({
    id: z.uuid(),
    userId: z.uuid().nullable(),
    type: z.string(),
    subject: z.string().nullable(),
    data: z.unknown(),
    position: z.int().nullable().describe('place in the log; null until it has one, a moment after the commit'),
    time: z.iso.datetime(),
    ...recordTimes
  })
  .meta({ id: 'Event' })
export type EventView = z.infer<typeof eventSchema>

/** Places in this list are ids (newest first) or, with `after`, positions (oldest first). */
export const encodeEventCursor = (place: string | number): string => Buffer.from(String(place)).toString('base64url')

const isPosition = (text: string) => /^(0|[1-9]\d{0,15})$/.test(text)

const eventCursorSchema = z
  .string()
  .max(100)
  .transform((text, context) => {
    const place = Buffer.from(text, 'base64url').toString()
    if (encodeEventCursor(place) === text && (isUuid(place) || isPosition(place))) return place
    context.addIssue({ code: 'custom', message: 'is not a cursor that a list gave out' })
    return z.NEVER
  })

export const eventQuerySchema = z
  .strictObject({
    limit: limitSchema,
    cursor: eventCursorSchema.optional(),
    type: z
      .string()
      .max(200)
      .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?$/, 'must be a type, or its beginning and ".*"')
      .optional(),
    subject: textSchema.max(300).optional(),
    userId: idFilterSchema.optional(),
    after: z
      .string()
      .refine(isPosition, 'must be a position')
      .transform(Number)
      .optional()
      .describe('only what comes after this position, oldest first')
  })
  .superRefine(({ cursor, after }, context) => {
    if (cursor !== undefined && isPosition(cursor) !== (after !== undefined)) {
      context.addIssue({ code: 'custom', path: ['cursor'], message: 'belongs to a list in the other order' })
    }
  })
export type EventQuery = z.infer<typeof eventQuerySchema>
