import type { z } from 'zod'
import type { FieldError } from '../../lib/errors/app-error.ts'
import { fieldErrors } from '../../lib/schemas/field-errors.ts'
import { houseMessage } from '../../lib/schemas/messages.ts'
import { findUnstorable } from '../../lib/schemas/text.ts'

/** Every wrong field is named, up to a number that no sensible request reaches. */
const maxErrors = 1_000

export type Checked = { value: unknown } | { errors: FieldError[] }

/** What a schema makes of a value, or every wrong field. */
export function checkBySchema(schema: z.ZodType, raw: unknown): Checked {
  const result = schema.safeParse(raw, { reportInput: false, error: houseMessage })
  return result.success ? { value: result.data } : { errors: fieldErrors(result.error, maxErrors) }
}

/** The same for a body, which also has to be something that can be stored. `undefined`: there was none. */
export function checkBody(schema: z.ZodType, raw: unknown): Checked {
  const unstorable = findUnstorable(raw)
  // Too deep or too large to be walked by anything else.
  if (unstorable?.path.length === 0 && typeof raw === 'object') {
    return { errors: [{ path: '', message: unstorable.message }] }
  }
  const checked = checkBySchema(schema, raw)
  if (raw === undefined && 'errors' in checked) return { errors: [{ path: '', message: 'a JSON body is required' }] }
  if (!unstorable) return checked
  const path = unstorable.path.join('.')
  const errors = 'errors' in checked ? checked.errors : []
  const isNamed = errors.some((error) => error.path === path)
  return { errors: isNamed ? errors : [...errors, { path, message: unstorable.message }] }
}
