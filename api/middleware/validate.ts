import { type FieldError, invalid, notFound } from '../../lib/errors/app-error.ts'
import { isUuid } from '../../lib/schemas/page.ts'
import { findUnstorable, isStorableText } from '../../lib/schemas/text.ts'
import type { Endpoint } from '../endpoint.ts'
import type { BodyContent } from '../intake/body-reader.ts'
import { type Checked, checkBody, checkBySchema } from '../intake/check-body.ts'

/** `body`: absent where none is taken */
type Raw = { params: Record<string, string>; query: Record<string, unknown>; body: BodyContent | undefined }

/**
 * Parses what a client sent by the schemas of the endpoint.
 * @throws AppError 404 for a path that can name nothing, 422 with every wrong field of query and body
 */
export function validate(endpoint: Endpoint, raw: Raw): { params: unknown; query: unknown; body: unknown } {
  const params = parseParams(endpoint, raw.params)
  const errors: FieldError[] = []
  const query = parseQuery(endpoint, { ...raw.query }, errors)
  const body = raw.body && settle(checkedBody(endpoint, raw.body), errors)
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
  if (schema) return settle(checkBySchema(schema, raw), errors)
  errors.push(...Object.keys(raw).map((path) => ({ path, message: 'is not a parameter of this route' })))
  return undefined
}

/** One that a thread looked at already is not looked at again. */
const checkedBody = ({ body: schema }: Endpoint, body: BodyContent): Checked =>
  'checked' in body ? body.checked : schema ? checkBody(schema, body.value) : { value: undefined }

function settle(checked: Checked, errors: FieldError[]): unknown {
  if ('value' in checked) return checked.value
  errors.push(...checked.errors)
  return undefined
}
