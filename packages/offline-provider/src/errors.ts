import type { Fault } from './faults.ts'

/** The `error` object of the wire format. */
export type ErrorBody = { message: string; type: string; param: string | null; code: string | null }

/**
 * A request the provider refuses: status, error object and extra headers, in the words of the OpenAI API.
 * A class, because it is thrown from deep inside validation and recognised at the edge.
 */
export class Refusal extends Error {
  readonly status: number
  readonly body: ErrorBody
  readonly headers: Record<string, string>
  /** the whole answer, as another server would write it */
  readonly raw: unknown

  constructor(status: number, body: ErrorBody, headers: Record<string, string> = {}, raw?: unknown) {
    super(body.message)
    this.name = 'Refusal'
    this.status = status
    this.body = body
    this.headers = headers
    this.raw = raw
  }
}

const INVALID = 'invalid_request_error'

/** 400 with the parameter it is about. */
export function badRequest(message: string, param: string | null = null, code: string | null = null): Refusal {
  return new Refusal(400, { message, type: INVALID, param, code })
}

export function missingParameter(param: string): Refusal {
  return badRequest(`Missing required parameter: '${param}'.`, param, 'missing_required_parameter')
}

export function invalidType(param: string, expected: string, got: unknown): Refusal {
  const message = `Invalid type for '${param}': expected ${expected}, but got ${typeName(got)} instead.`
  return badRequest(message, param, 'invalid_type')
}

export function invalidValue(param: string, got: string, supported: readonly string[]): Refusal {
  return badRequest(`Invalid value: '${got}'. Supported values are: ${listed(supported)}.`, param, 'invalid_value')
}

export function unsupportedParameter(param: string, instead?: string): Refusal {
  const hint = instead ? ` Use '${instead}' instead.` : ''
  const message = `Unsupported parameter: '${param}' is not supported with this model.${hint}`
  return badRequest(message, param, 'unsupported_parameter')
}

export function modelNotFound(model: string): Refusal {
  const message = `The model \`${model}\` does not exist or you do not have access to it.`
  return new Refusal(404, { message, type: INVALID, param: null, code: 'model_not_found' })
}

export function unknownUrl(method: string, path: string): Refusal {
  return new Refusal(404, { message: `Invalid URL (${method} ${path})`, type: INVALID, param: null, code: null })
}

export function wrongMethod(method: string, path: string): Refusal {
  const message = `Not allowed to ${method} on ${path}. (HINT: Perhaps you meant to use a different HTTP method?)`
  return new Refusal(405, { message, type: INVALID, param: null, code: 'method_not_supported' })
}

export function unparsable(): Refusal {
  return badRequest(
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library " +
      'correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)'
  )
}

export function unauthorized(key: string | undefined): Refusal {
  if (key === undefined) {
    const message =
      "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth " +
      '(i.e. Authorization: Bearer YOUR_KEY).'
    return new Refusal(401, { message, type: INVALID, param: null, code: null })
  }
  const hidden = key.length > 8 ? `${key.slice(0, 4)}${'*'.repeat(8)}${key.slice(-4)}` : '*'.repeat(key.length)
  const message = `Incorrect API key provided: ${hidden}.`
  return new Refusal(401, { message, type: INVALID, param: null, code: 'invalid_api_key' })
}

/** What a fault answers: in the words of the API, with headers or a body of its own when it has any. */
export function faultRefusal(
  { status, retryAfterMs, headers: own, body: raw }: Extract<Fault, { kind: 'status' }>,
  model: string
): Refusal {
  const usual = wordedRefusal(status, model, retryAfterMs)
  return new Refusal(status, usual.body, own ?? usual.headers, raw)
}

function wordedRefusal(status: number, model: string, retryAfterMs?: number): Refusal {
  const headers = retryAfterMs === undefined ? {} : retryAfterHeaders(retryAfterMs)
  const body = (message: string, type: string, code: string | null = null): Refusal =>
    new Refusal(status, { message, type, param: null, code }, headers)
  if (status === 400) return body('Invalid request.', INVALID)
  if (status === 401) return unauthorized('sk-offline-revoked')
  if (status === 408) return body('Request timed out.', 'timeout')
  if (status === 409) return body('The resource was changed by another request. Please try again.', 'conflict_error')
  if (status === 429) {
    const wait = ((retryAfterMs ?? 1_000) / 1_000).toFixed(3).replace(/\.?0+$/, '')
    const message = `Rate limit reached for ${model} on requests per min (RPM). Please try again in ${wait}s.`
    return new Refusal(
      429,
      { message, type: 'requests', param: null, code: 'rate_limit_exceeded' },
      retryAfterHeaders(retryAfterMs ?? 1_000)
    )
  }
  if (status === 503) return body('The engine is currently overloaded, please try again later.', 'server_error')
  return body('The server had an error while processing your request. Sorry about that!', 'server_error')
}

/** `retry-after` in whole seconds, rounded up, and `retry-after-ms` exactly. */
export function retryAfterHeaders(ms: number): Record<string, string> {
  return {
    'retry-after': String(Math.max(1, Math.ceil(ms / 1_000))),
    'retry-after-ms': String(Math.max(1, Math.ceil(ms)))
  }
}

function listed(names: readonly string[]): string {
  const quoted = names.map((name) => `'${name}'`)
  if (quoted.length < 2) return quoted.join('')
  return `${quoted.slice(0, -1).join(', ')}, and ${quoted.at(-1)}`
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal'
  if (typeof value === 'object') return 'an object'
  return `a ${typeof value}`
}
