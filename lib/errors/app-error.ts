/**
 * The one catalogue of errors that leave the process: code, HTTP status and title.
 * A code is never used again for another meaning.
 */
const catalogue = {
  bad_request: [400, 'Bad request'],
  invalid_json: [400, 'The body is not valid JSON'],
  unauthorized: [401, 'Authentication required'],
  invalid_credentials: [401, 'Invalid credentials'],
  forbidden: [403, 'Not allowed'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'Method not allowed'],
  not_acceptable: [406, 'Not acceptable'],
  conflict: [409, 'Conflict'],
  gone: [410, 'Gone'],
  precondition_failed: [412, 'Precondition failed'],
  payload_too_large: [413, 'Payload too large'],
  unsupported_media_type: [415, 'Unsupported media type'],
  invalid: [422, 'Invalid input'],
  idempotency_mismatch: [422, 'Idempotency key already used'],
  rate_limited: [429, 'Too many requests'],
  budget_exceeded: [429, 'Budget used up'],
  internal: [500, 'Internal error'],
  unavailable: [503, 'Service unavailable'],
  busy: [503, 'Too busy']
} as const satisfies Record<string, readonly [number, string]>

export type ErrorCode = keyof typeof catalogue

/** One wrong field: `path` in dots (`goals.3.title`), empty for the whole body. */
export type FieldError = { path: string; message: string }

export type ErrorExtras = {
  cause?: unknown
  errors?: FieldError[]
  headers?: Record<string, string>
  /** members added to the problem document, for example `violated-policies` */
  members?: Record<string, unknown>
  /** problem type URI when the error has a registered one */
  type?: string
}

/** An expected failure with a message that may be shown to the client. Anything else that is thrown becomes a bare 500. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly title: string
  readonly extras: Omit<ErrorExtras, 'cause'>

  constructor(code: ErrorCode, message: string, { cause, ...extras }: ErrorExtras = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'AppError'
    this.code = code
    this.status = catalogue[code][0]
    this.title = catalogue[code][1]
    this.extras = extras
  }
}

export const notFound = (what: string): AppError => new AppError('not_found', `${what} was not found`)

export const invalid = (errors: FieldError[]): AppError =>
  new AppError('invalid', errors.length === 1 ? '1 field is wrong' : `${errors.length} fields are wrong`, { errors })

export const invalidField = (path: string, message: string): AppError => invalid([{ path, message }])
