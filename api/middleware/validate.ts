import type { z } from 'zod'
import { type FieldError, invalid, notFound } from '../../lib/errors.ts'
import { fieldErrors } from '../../lib/schemas/field-errors.ts'
import { isUuid } from '../../lib/schemas/page.ts'
import { findUnstorable, isStorableText } from '../../lib/schemas/text.ts'
import type { Endpoint } from '../endpoint.ts'

/** Every wrong field is named, up to a number that no sensible request reaches. */
const maxErrors = 1_000

type Raw = { params: Record<string, string>; query: Record<string, unknown>; body: unknown }

/**
 * Parses what a client sent by the schemas of the endpoint.
 * @throws AppError 404 for a path that can name nothing, 422 with every wrong field of query and body
 */
export function validate(endpoint: Endpoint, raw: Raw): { params: unknown; query: unknown; body: unknown } {
  const params = parseParams(endpoint, raw.params)
  const errors: FieldError[] = []
  const query = parseQuery(endpoint, { ...raw.query }, errors)
  const body = parseBody(endpoint, raw.body, errors)
  if (errors.length > 0) throw invalid(errors)
  return { params, query, body }
}

/** What cannot be an id names nothing, so it is not found; ids are compared in the lower case that PostgreSQL writes. */
function parseParams({ params: schema }: Endpoint, raw: Record<string, string>): unknown {
  const params: Record<string, string> = {}
  for (const [name, text] of Object.entries(raw)) {
    const isId = /(^id|Id)$/.test(name)
    if (isId ? !isUuid(text) : !isStorableText(text)) throw notFound('What the path names')
    params[name] = isId ? text.toLowerCase() : text
  }
  if (!schema) return params
  const result = schema.safeParse(params)
  if (!result.success) throw notFound('What the path names')
  return result.data
}

function parseQuery({ query: schema }: Endpoint, raw: Record<string, unknown>, errors: FieldError[]): unknown {
  const unstorable = findUnstorable(raw)
  if (unstorable) {
    errors.push({ path: unstorable.path.join('.'), message: unstorable.message })
    return undefined
  }
  if (schema) return collect(schema, raw, errors)
  errors.push(...Object.keys(raw).map((path) => ({ path, message: 'is not a parameter of this route' })))
  return undefined
}

function parseBody({ body: schema }: Endpoint, raw: unknown, errors: FieldError[]): unknown {
  if (!schema) return undefined
  const unstorable = findUnstorable(raw)
  // Too deep or too large to be walked by anything else.
  if (unstorable?.path.length === 0 && typeof raw === 'object') {
    errors.push({ path: '', message: unstorable.message })
    return undefined
  }
  const before = errors.length
  const value = collect(schema, raw, errors)
  if (raw === undefined && errors.length > before)
    errors.splice(before, Infinity, { path: '', message: 'a JSON body is required' })
  if (unstorable) {
    const path = unstorable.path.join('.')
    if (!errors.some((error) => error.path === path)) errors.push({ path, message: unstorable.message })
  }
  return value
}

function collect(schema: z.ZodType, raw: unknown, errors: FieldError[]): unknown {
  const result = schema.safeParse(raw, { reportInput: false })
  if (result.success) return result.data
  errors.push(...fieldErrors(result.error, maxErrors))
  return undefined
}
